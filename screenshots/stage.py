"""The live screen on a stage: the demo's story stands still and goes on by one step when it is told to.

The pictures and the tests of the screen both play here. Nothing depends on the machine: the clock is the story's, what
dstop costs is a constant, no thread reads, and no font is fetched.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from expected import Foreseen

from dstop.draw.look import Look
from dstop.errors import SourceError
from dstop.monitor import Monitor
from dstop.monitor.cost import CostMeter
from dstop.settings import Settings
from dstop.sources.demo import EPOCH_S, DemoSource
from dstop.sources.demo.guests import DemoGuests
from dstop.sources.demo.hands import DemoHands
from dstop.sources.demo.story import LOOP_S
from dstop.ui.app import DstopApp
from dstop.ui.poller import Poller
from dstop.ui.screens.base import FrameScreen
from dstop.ui.screens.guest import GuestScreen
from dstop.ui.screens.overview import OverviewScreen
from dstop.ui.screens.process import ProcessScreen
from dstop.ui.screens.text import TextScreen
from dstop.units import MIB
from dstop.view.arrange import View

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from collections.abc import Set as AbstractSet

    from textual.pilot import Pilot

    from dstop.model.frame import Frame
    from dstop.model.guest import ProcessId
    from dstop.model.sample import Sample
    from dstop.pytorch.incident.values import Incident
    from dstop.sources import Source
    from dstop.sources.guests import Guests
    from dstop.sources.hands import Hands

PAST_S = 200
"""Seconds that have gone by when the curtain rises: the graphs of a wide screen are full."""
CPU_SHARE, RESIDENT_BYTES = 0.006, 58 * MIB
FONTS = "'Fira Code', 'DejaVu Sans Mono', Menlo, Consolas, monospace"
_FONT_FACE = re.compile(r"@font-face\s*{[^}]*}\s*")
_COMMENT = re.compile(r"<!--.*?-->\s*", re.DOTALL)
_MOST_WAITS = 500
CSS = str(Path(inspect.getfile(DstopApp)).with_name("dstop.tcss"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Which machine, at which second of the story, and what the user has asked for."""

    at_s: float = 30.0
    gpus: int = 8
    mig: bool = False
    broken: bool = False
    past_s: int = PAST_S
    theme: str = "dark"
    settings: Settings = field(default_factory=Settings)
    view: View = field(default_factory=View)
    open_pid: ProcessId | None = None
    expected: bool = False
    """Whether it is known what the programs should hold."""


class HandFedPoller(Poller):
    """A poller without a thread: a reading is made when the stage says so."""

    def __init__(self, monitor: Monitor, interval_s: float) -> None:
        super().__init__(lambda: monitor, interval_s)
        self.monitor = monitor
        self.pokes = 0
        self.stopped = False

    def start(self) -> None:
        """Start nothing."""

    def poke(self, *, even_paused: bool = False) -> None:
        """Count how often somebody wanted a reading."""
        del even_paused
        self.pokes += 1

    def stop(self) -> None:
        """Remember that nobody needs it any more."""
        self.stopped = True
        super().stop()

    def give(self, frame: Frame) -> None:
        """Hand a frame to the screen."""
        self._hand_over(frame)

    def fail(self, error: BaseException) -> None:
        """Do what the thread does with a bug."""
        if self._fail is not None:
            self._fail(error)


class Curtain:
    """A source before which a curtain can fall: then it says why there is nothing to be seen."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.problem: SourceError | None = None

    def read(self, *, patience_s: float = 0.5) -> Sample:
        """Read what is behind it.

        Raises:
            SourceError: while there is a problem.
        """
        if self.problem is not None:
            raise self.problem
        return self._source.read(patience_s=patience_s)

    def watch(self, fields: AbstractSet[str]) -> None:
        """Pass on what is looked at."""
        self._source.watch(fields)

    def close(self) -> None:
        """Close what is behind it."""
        self._source.close()


class StageApp(DstopApp):
    """The app, with pictures that name no host and open without a network."""

    CSS_PATH = CSS

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """Draw the screen as SVG with the fonts that the reader's machine has."""
        svg = super().export_screenshot(title=title, simplify=simplify)
        return local_fonts(svg)


def local_fonts(svg: str) -> str:
    """Take the fonts of the web, and every other address, out of an SVG."""
    svg = _COMMENT.sub("", _FONT_FACE.sub("", svg))
    return re.sub(r"font-family: ?(Fira Code|arial)[^;]*;", f"font-family: {FONTS};", svg)


class Stage:
    """An app that plays a scene.

    Args:
        scene: what is shown.
        guests: the hooks in the processes; those of the demo unless given, None for a source without any.
        hands: ask and signal the processes; those of the demo unless given, None for a source without processes.
        save: what W calls.
        incidents: what crashes left; nothing unless given.
    """

    def __init__(
        self,
        scene: Scene | None = None,
        *,
        hands: Hands | Literal["demo"] | None = "demo",
        guests: Guests | Literal["demo"] | None = "demo",
        save: Callable[[Settings], None] | None = None,
        incidents: Callable[[], Iterable[Incident]] = tuple,
    ) -> None:
        self.scene = scene or Scene()
        self.clock_s = LOOP_S + self.scene.at_s - self.scene.past_s
        demo = DemoSource(
            lambda: self.clock_s, gpus=self.scene.gpus, mig=self.scene.mig, broken=self.scene.broken
        )
        self.curtain = Curtain(demo)
        behind: Guests | None = DemoGuests(demo) if guests == "demo" else guests
        self.monitor = Monitor(
            self.curtain,
            interval_s=1.0,
            now_ns=self.now_ns,
            meter=self._meter(),
            guests=behind,
            expectations=Foreseen() if self.scene.expected else None,
        )
        self.poller = HandFedPoller(self.monitor, 1.0)
        for _ in range(self.scene.past_s):
            self.monitor.step()
            self.clock_s += 1
        self.poller.give(self.monitor.step())
        self.app = StageApp(
            self.poller,
            self.scene.settings,
            view=self.scene.view,
            theme=self.scene.theme,
            hands=DemoHands(demo) if hands == "demo" else hands,
            guests=behind,
            open_processes=() if self.scene.open_pid is None else (self.scene.open_pid,),
            look=Look(user="deepa"),
            save=save,
            incidents=incidents,
        )

    def now_ns(self) -> int:
        """The wall clock of the story."""
        return round((EPOCH_S + self.clock_s) * 1e9)

    def _meter(self) -> CostMeter:
        return CostMeter(
            cpu=lambda: self.clock_s * CPU_SHARE,
            resident=lambda: RESIDENT_BYTES,
            monotonic=lambda: self.clock_s,
        )

    @property
    def overview(self) -> OverviewScreen:
        """The first screen."""
        screen = self.app.get_default_screen()
        if not isinstance(screen, OverviewScreen):
            raise TypeError(f"the app begins with {screen!r}")
        return screen

    async def curtain_up(self, pilot: Pilot[None]) -> None:
        """Wait for the first picture, and be silent about what happened before it."""
        await pilot.pause()
        self.app.say("")
        await pilot.pause()

    async def step(self, pilot: Pilot[None], seconds: int = 1) -> None:
        """Let the story go on, a reading a second, unless the user wants it to stand still."""
        for _ in range(seconds):
            self.clock_s += 1
            if not self.poller.paused:
                await self.give(pilot, self.monitor.step())

    async def give(self, pilot: Pilot[None], frame: Frame) -> None:
        """Show a frame; every screen has the story's clock."""
        for screen in self.app.screen_stack:
            if isinstance(screen, FrameScreen):
                screen.now_ns = self.now_ns
        self.poller.give(frame)
        await pilot.pause()

    async def read_to_the_end(self, pilot: Pilot[None]) -> None:
        """Wait for the thread that asks a process what it is, or that reads for the screen."""
        screen = self.app.screen
        for _ in range(_MOST_WAITS):
            asking = isinstance(screen, GuestScreen) and screen.asking
            reading = (
                isinstance(screen, ProcessScreen) and self.app.hands is not None and screen.detail is None
            )
            waiting = isinstance(screen, TextScreen) and screen.waiting
            if not asking and not reading and not waiting:
                break
            await asyncio.sleep(0.01)
        await pilot.pause()

    def lose_the_driver(self, message: str = "the driver does not answer", fix: str | None = None) -> None:
        """From the next step on there are no figures."""
        self.curtain.problem = SourceError(message, fix=fix)

    def lines(self) -> list[str]:
        """The text on the screen."""
        width, height = self.app.size
        strips = self.app.screen._compositor.render_strips()  # noqa: SLF001 - Textual has no other way to the cells
        return [strip.text.ljust(width) for strip in strips][:height]

    def text(self) -> str:
        """The text on the screen, as one."""
        return "\n".join(line.rstrip() for line in self.lines())


@asynccontextmanager
async def playing(
    scene: Scene | None = None,
    *,
    size: tuple[int, int] = (80, 24),
    hands: Hands | Literal["demo"] | None = "demo",
    guests: Guests | Literal["demo"] | None = "demo",
    save: Callable[[Settings], None] | None = None,
    incidents: Callable[[], Iterable[Incident]] = tuple,
) -> AsyncIterator[tuple[Stage, Pilot[None]]]:
    """Play a scene without a terminal, from the first frame on the screen to the end of the block."""
    stage = Stage(scene, hands=hands, guests=guests, save=save, incidents=incidents)
    async with stage.app.run_test(size=size) as pilot:
        await stage.curtain_up(pilot)
        yield stage, pilot

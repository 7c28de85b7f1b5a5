"""The pictures of the live screen: what is on each, and how one gets there from the first screen."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from incidents import demo_incidents
from plans import TRAINED, PlanPicture
from snapshots import SnapshotPicture
from stage import Scene, Stage
from textual.widgets import Input

from dstop.settings import Settings
from dstop.view.arrange import View

if TYPE_CHECKING:
    from textual.pilot import Pilot

SMALL, USUAL, BIG = (80, 24), (120, 40), (200, 60)
STEADY_S, STALE_S, NEARLY_S, FULL_S, HANG_S, GONE_S, LOADING_S = (
    30.0,
    104.0,
    142.5,
    149.5,
    156.0,
    180.0,
    216.0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A scene, and what the user does in it."""

    name: str
    size: tuple[int, int] = USUAL
    scene: Scene = field(default_factory=Scene)
    keys: tuple[str, ...] = ()
    then_s: int = 0
    """Seconds of the story that go by after the keys."""
    driver_gone_s: int = 0
    """Seconds without an answer from the driver before the picture."""

    def stage(self) -> Stage:
        """Set the scene."""
        return Stage(self.scene, incidents=demo_incidents)

    async def play(self, stage: Stage, pilot: Pilot[None]) -> None:
        """Do what the user does."""
        await stage.curtain_up(pilot)
        for key in self.keys:
            await pilot.press(key)
            await stage.read_to_the_end(pilot)
        for prompt in stage.app.screen.query(Input):
            prompt.cursor_blink = False
        if self.driver_gone_s:
            stage.lose_the_driver(
                "the NVIDIA driver does not answer", "look at dmesg, or restart nvidia-persistenced"
            )
        await stage.step(pilot, self.then_s + self.driver_gone_s)
        await pilot.pause()

    async def drawn(self) -> str:
        """Play it, and give the screen as SVG."""
        stage = self.stage()
        async with stage.app.run_test(size=self.size) as pilot:
            await self.play(stage, pilot)
            return stage.app.export_screenshot(simplify=True)


def typed(text: str) -> tuple[str, ...]:
    """Give the keys that write a text."""
    names = {" ": "space", ":": "colon", ">": "greater_than_sign", "/": "slash", "(": "left_parenthesis"}
    return tuple(names.get(char, char) for char in text)


def still(environ: dict[str, str] | os._Environ[str] = os.environ) -> None:
    """Make the picture the same on every machine: one time zone, all colours."""
    environ["TZ"] = "UTC"
    time.tzset()
    for name in ("NO_COLOR", "TEXTUAL_THEME", "TEXTUAL_FILTERS"):
        environ.pop(name, None)


def _themed(name: str) -> Picture:
    return Picture(name=f"theme-{name}", scene=Scene(at_s=FULL_S, theme=name))


SNAPSHOTS: tuple[SnapshotPicture, ...] = (
    SnapshotPicture(name="snapshot", size=(160, 48)),
    SnapshotPicture(name="snapshot-small", size=SMALL),
    SnapshotPicture(name="snapshot-peak-light", theme="light", keys=("p", "enter")),
    SnapshotPicture(name="snapshot-zoom-big", size=BIG, keys=("N", "N", "plus", "plus", "plus", "down")),
    SnapshotPicture(name="snapshot-mono", theme="mono"),
    SnapshotPicture(
        name="snapshot-ascii-small",
        size=SMALL,
        settings=Settings(ascii=True),
        keys=("p", "plus", "plus", "enter"),
    ),
    SnapshotPicture(name="snapshot-high-contrast-small", size=SMALL, theme="high-contrast"),
    SnapshotPicture(name="snapshot-map", keys=("m",)),
    SnapshotPicture(name="snapshot-map-small", size=SMALL, keys=("m", "end")),
    SnapshotPicture(name="snapshot-sites", keys=("p", "a", "down", "enter")),
    SnapshotPicture(name="snapshot-growth-small", size=SMALL, keys=("g",)),
    SnapshotPicture(name="snapshot-what-if", size=(120, 48), keys=("w",)),
    SnapshotPicture(name="snapshot-what-if-small", size=SMALL, keys=("w",)),
    SnapshotPicture(name="snapshot-help-small", size=SMALL, keys=("question_mark",)),
    SnapshotPicture(name="snapshot-help-big", size=BIG, keys=("question_mark",)),
)
PLANS: tuple[PlanPicture, ...] = (
    PlanPicture(name="plan"),
    PlanPicture(name="plan-small", size=SMALL, keys=("down", "right", "right")),
    PlanPicture(name="plan-training", size=(160, 48), spec=TRAINED, keys=("4", "enter")),
    PlanPicture(name="plan-training-small", size=SMALL, spec=TRAINED, keys=("end", "1", "2")),
    PlanPicture(name="plan-light-big", size=BIG, spec=TRAINED, theme="light"),
    PlanPicture(name="plan-ascii-mono-small", size=SMALL, theme="mono", settings=Settings(ascii=True)),
    PlanPicture(name="plan-help-small", size=SMALL, keys=("question_mark",)),
)
PICTURES: tuple[Picture | SnapshotPicture | PlanPicture, ...] = (
    Picture(name="eight-gpus-small", size=SMALL),
    Picture(name="eight-gpus"),
    Picture(name="eight-gpus-big", size=BIG),
    Picture(name="one-gpu", scene=Scene(gpus=1), then_s=2),
    Picture(name="one-gpu-small", size=SMALL, scene=Scene(gpus=1)),
    Picture(name="two-gpus", size=(160, 48), scene=Scene(gpus=2), then_s=2),
    Picture(name="sixteen-gpus-small", size=SMALL, scene=Scene(gpus=16)),
    Picture(name="sixteen-gpus-big", size=BIG, scene=Scene(gpus=16)),
    Picture(name="sixty-four-gpus", scene=Scene(gpus=64, past_s=20)),
    Picture(name="mig", scene=Scene(mig=True)),
    Picture(name="broken", scene=Scene(broken=True)),
    Picture(name="broken-small", size=SMALL, scene=Scene(broken=True)),
    Picture(name="stale", scene=Scene(at_s=STALE_S)),
    Picture(name="out-of-memory", scene=Scene(at_s=FULL_S), keys=("M", "home")),
    Picture(name="hang", scene=Scene(at_s=HANG_S)),
    Picture(name="job-gone", size=SMALL, scene=Scene(at_s=GONE_S)),
    Picture(name="loading", scene=Scene(at_s=LOADING_S)),
    Picture(name="tree", keys=("t",)),
    Picture(name="jobs", keys=("J",)),
    Picture(name="users-small", size=SMALL, keys=("U", "z", "down", "down", "z")),
    Picture(name="filter", keys=("slash", *typed("user:deepa mem>54G"))),
    Picture(name="filter-wrong", size=SMALL, keys=("slash", *typed("mem>54Q"), "enter")),
    Picture(name="marked-small", size=SMALL, keys=("4", "space", "p")),
    Picture(name="process", keys=("enter",), then_s=2),
    Picture(name="expected", size=(160, 48), scene=Scene(at_s=NEARLY_S, expected=True)),
    Picture(
        name="process-expected",
        size=(120, 48),
        scene=Scene(at_s=NEARLY_S, expected=True),
        keys=("4", "enter"),
    ),
    Picture(
        name="process-expected-small", size=SMALL, scene=Scene(expected=True), keys=("enter", "pagedown")
    ),
    Picture(
        name="process-expected-ascii",
        scene=Scene(at_s=LOADING_S, expected=True, settings=Settings(ascii=True)),
        keys=("enter",),
    ),
    Picture(name="process-small", size=SMALL, keys=("enter",), then_s=2),
    Picture(name="process-ended", scene=Scene(at_s=FULL_S), keys=("M", "home", "enter"), then_s=3),
    Picture(name="process-big", size=BIG, scene=Scene(at_s=NEARLY_S), keys=("4", "enter"), then_s=2),
    Picture(name="process-to-attach-small", size=SMALL, keys=("4", "down", "enter", "A")),
    Picture(name="process-refused-small", size=SMALL, keys=("2", "down", "enter", "A", "y", "p", "p")),
    Picture(
        name="process-ascii-small", size=SMALL, scene=Scene(settings=Settings(ascii=True)), keys=("enter",)
    ),
    Picture(name="process-light", scene=Scene(at_s=NEARLY_S, theme="light"), keys=("4", "enter"), then_s=2),
    Picture(name="allocator", scene=Scene(at_s=NEARLY_S), keys=("4", "enter"), then_s=2),
    Picture(name="segments", scene=Scene(at_s=NEARLY_S), keys=("4", "enter", "m")),
    Picture(name="segments-small", size=SMALL, scene=Scene(at_s=NEARLY_S), keys=("4", "enter", "m")),
    Picture(name="stacks", scene=Scene(at_s=32.0), keys=("enter", "H", "a", "p", "p"), then_s=1),
    Picture(name="summary-small", size=SMALL, keys=("enter", "s")),
    Picture(name="ranks", scene=Scene(at_s=NEARLY_S), keys=("4", "enter", "o"), then_s=1),
    Picture(name="ranks-small", size=SMALL, scene=Scene(at_s=NEARLY_S), keys=("4", "enter", "o"), then_s=1),
    Picture(name="model-small", size=SMALL, keys=("enter", "M")),
    Picture(name="gpu", scene=Scene(at_s=FULL_S - 2), keys=("M", "home", "g"), then_s=2),
    Picture(name="gpu-small", size=SMALL, scene=Scene(mig=True), keys=("g",), then_s=2),
    Picture(name="gpu-terse", scene=Scene(broken=True), keys=("5", "g"), then_s=2),
    Picture(name="help-small", size=SMALL, keys=("question_mark",)),
    Picture(name="help", keys=("question_mark",)),
    Picture(name="help-big", size=BIG, keys=("question_mark",)),
    Picture(name="log", scene=Scene(at_s=GONE_S), keys=("l",)),
    Picture(name="findings-small", size=SMALL, scene=Scene(at_s=NEARLY_S), keys=("F",)),
    Picture(name="findings-big", size=BIG, scene=Scene(at_s=NEARLY_S), keys=("F",)),
    Picture(name="finding-small", size=SMALL, scene=Scene(at_s=118.0), keys=("F", "enter", "y")),
    Picture(name="finding-big", size=BIG, scene=Scene(at_s=118.0), keys=("F", "enter")),
    Picture(name="crashes-small", size=SMALL, keys=("d",)),
    Picture(name="crashes-big", size=BIG, keys=("d",)),
    Picture(name="diagnosis-small", size=SMALL, keys=("d", "enter")),
    Picture(name="diagnosis-big", size=BIG, keys=("d", "enter", "y")),
    Picture(name="signals-small", size=SMALL, keys=("f9", "down")),
    Picture(name="question-small", size=SMALL, keys=("T",)),
    _themed("light"),
    _themed("high-contrast"),
    _themed("mono"),
    Picture(name="ascii-small", size=SMALL, scene=Scene(gpus=2, settings=Settings(ascii=True))),
    Picture(name="driver-gone", driver_gone_s=7),
    Picture(name="driver-gone-close-up", keys=("g",), driver_gone_s=7),
    Picture(name="narrow", size=(40, 12), scene=Scene(gpus=2, view=View(sort="mem"))),
    *SNAPSHOTS,
    *PLANS,
)
BY_NAME = {picture.name: picture for picture in PICTURES}

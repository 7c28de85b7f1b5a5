"""One process, close up, with graphs that move, and what its allocator says where it carries dstop's hook."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from dstop.draw.detail import (
    command_lines,
    detail_lines,
    fact_lines,
    graph_lines,
    host_fact_lines,
    pid_title_line,
    title_line,
)
from dstop.draw.line import fit_line
from dstop.model.guest import ProcessId
from dstop.model.process import ProcessKey
from dstop.monitor.join import with_word_of
from dstop.ui.messages import DetailReady
from dstop.ui.screens.guest import GuestScreen

if TYPE_CHECKING:
    from textual.binding import BindingType
    from textual.events import ScreenResume

    from dstop.draw.line import Line
    from dstop.model.frame import Frame, ProcessHistory
    from dstop.model.guest import Guest
    from dstop.model.process import GpuProcess, ProcessFacts
    from dstop.sources.hands import Hands, ProcessDetail

_NO_GPU = -1
"""The place of a process that the sample has no row of, among the watched."""


class ProcessScreen(GuestScreen):
    """What a process is and holds; its allocator, its command line and its environment.

    Args:
        process: the row, or, of a process that no card has a row of, its identity alone.
        environment_first: scroll to the environment as soon as it is there.
    """

    KEYS = (("Esc", "back"), ("e", "environment"), ("T K I", "signal"), ("↑↓", "scroll"), ("q", "quit"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "environment", show=False),
        Binding("T", "ask_signal('SIGTERM')", show=False),
        Binding("K", "ask_signal('SIGKILL')", show=False),
        Binding("I", "ask_signal('SIGINT')", show=False),
        Binding("m", "inside('SegmentScreen')", show=False),
        Binding("a", "inside('SiteScreen')", show=False),
        Binding("s", "inside('SummaryScreen')", show=False),
        Binding("M", "inside('ModelScreen')", show=False),
        Binding("o", "ranks", show=False),
    ]

    def __init__(self, process: GpuProcess | ProcessId, *, environment_first: bool = False) -> None:
        super().__init__()
        self.process = None if isinstance(process, ProcessId) else process
        self._whose = process if isinstance(process, ProcessId) else process.id
        self.detail: ProcessDetail | None = None
        self._environment_first = environment_first
        self._history: ProcessHistory | None = None
        """The last there was: one that has ended is watched no more, and how it ended is what one wants to see."""
        self._last: tuple[Frame, Guest] | None = None
        """As the history: the last frame in which the hook answered."""
        self._had_hook = False
        self._reading = False
        self._asked_at: Frame | None = None
        """The frame for which it was last asked whether the process lives: once a frame is enough."""

    @property
    def process_id(self) -> ProcessId:
        """Whose screen it is."""
        return self._whose

    @property
    def facts(self) -> ProcessFacts | None:
        """What does not change: of its row, or, where the sample has none, as the host told it; None until then."""
        if self.process is not None:
            return self.process.facts
        facts = self.detail.facts if self.detail is not None else None
        guest = self.guest
        return facts if facts is None or guest is None else with_word_of(guest, facts)

    @property
    def is_reading(self) -> bool:
        """Whether what only this screen shows is still to come."""
        return self._reading

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """Offer what there is to be seen inside, or the way in."""
        if self.dstop.guests is None or self.ended:
            return self.KEYS
        if self.guest is None:
            return (self.KEYS[0], ("A", "attach"), *self.KEYS[1:])
        inside = (("m", "map"), ("a", "who"), ("s", "summary"), ("o", "ranks"), ("M", "model"))
        doing = (("H", "record"), ("S", "snapshot"), ("w", "save one"), ("D", "detach"))
        return (self.KEYS[0], *inside, *doing, *self.KEYS[1:])

    def on_mount(self) -> None:
        """Read what only this screen shows, apart: a stuck process blocks its reader."""
        super().on_mount()
        self._ask_detail()

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Watch its history: several processes may lie upon each other."""
        del event
        key = ProcessKey(_NO_GPU, *self._whose) if self.process is None else self.process.key
        self.dstop.watch_processes((key,))

    def on_unmount(self) -> None:
        """Stop to watch, unless another process was below this one."""
        if not any(isinstance(screen, ProcessScreen) for screen in self.app.screen_stack):
            self.dstop.watch_processes(())

    def _ask_detail(self) -> None:
        hands = self.dstop.hands
        if hands is not None and not self._reading:
            self._reading = True
            threading.Thread(
                target=self._read_detail, args=(hands,), name="dstop-detail", daemon=True
            ).start()

    def _read_detail(self, hands: Hands) -> None:
        detail = hands.detail(self._whose.pid, self._whose.started_at_s)
        self.post_message(DetailReady(detail))

    def on_detail_ready(self, message: DetailReady) -> None:
        """Take what the reader found."""
        self._reading = False
        self.ended = self.ended or (self.process is None and message.detail.has_ended)
        if not self.ended or self.detail is None:
            self.detail = message.detail
        if not self.ended and self.process is None and self.guest is None:
            self._last = None  # it lives: the hook has left
        self.draw()
        if self._environment_first:
            self.action_environment()

    def _renew(self) -> None:
        if self.frame is None:
            return
        rows = self.frame.sample.processes
        if self.process is None:
            self.process = next((row for row in rows if row.id == self._whose), None)
            if self.process is not None:
                self.dstop.watch_processes((self.process.key,))
            elif (
                self._had_hook and self.guest is None and not self.ended and self._asked_at is not self.frame
            ):
                self._asked_at = self.frame
                self._ask_detail()  # no row tells whether the hook left, or the process ended
        else:
            now = next((row for row in rows if row.key == self.process.key), None)
            self.ended = now is None
            self.process = now or self.process
        guest = self.guest
        if guest is not None:
            self._last = (self.frame, guest)
            self._had_hook = True
        elif not self.ended and (self.process is not None or self.dstop.hands is None):
            self._last = None

    def title_of(self, width: int) -> Line:
        """Name the process, and say when it has ended."""
        self._renew()
        if self.ended:
            text = f" {self._whose.pid} has ended; this is its last reading"
            return fit_line(((text, "badge.bad"),), width, "badge.bad")
        if self.process is None:
            has_gpus = self.frame is not None and bool(self.frame.sample.gpus)
            return pid_title_line(self._whose.pid, self.facts, width, has_gpus=has_gpus)
        return title_line(self.process, width)

    def body(self, width: int) -> list[Line]:
        """Facts, the allocator, graphs, command line, environment."""
        self._renew()
        frame, process = self.frame, self.process
        if frame is None:
            return []
        index = process.gpu_index if process is not None else _NO_GPU
        gpu = next((gpu for gpu in frame.sample.gpus if gpu.index == index), None)
        steps = frame.history[index].steps if index in frame.history else 0
        lines: list[Line] = []
        now_s = frame.sample.taken_at_ns / 1e9
        facts = self.facts
        if process is not None:
            lines += fact_lines(process, gpu, width, now_s, dense=self._last is not None)
        elif facts is not None:
            lines += host_fact_lines(facts, width, now_s)
        if process is not None:
            lines += self._expected_lines(process, width, gpu.memory_total_bytes if gpu is not None else None)
        lines += self._inside_lines(width, steps)
        if process is not None:
            self._history = history = frame.watched.get(process.key, self._history)
            lines += graph_lines(history, gpu, width, frame.step_s, steps)
        if facts is not None:
            lines += command_lines(facts, width)
        if self.dstop.hands is not None:
            lines += detail_lines(self.detail, width)
        return lines

    def _expected_lines(self, process: GpuProcess, width: int, card_bytes: int | None) -> list[Line]:
        """Draw what its model should hold, or why that is not known where somebody would wonder."""
        if process.expectation is None and "footprint" not in process.unavailable:
            return []
        from dstop.draw.expectation_lines import (  # noqa: PLC0415 - not every process is a model
            expectation_lines,
            unknown_lines,
        )

        if process.expectation is None:
            return unknown_lines(process.unavailable["footprint"], width)
        return expectation_lines(process.expectation, width, card_bytes)

    def _inside_lines(self, width: int, steps: int) -> list[Line]:
        """Draw the allocator of every device, or the way to see it."""
        from dstop.draw.allocator import allocator_lines, devices_of  # noqa: PLC0415 - not every process has one
        from dstop.draw.guest_lines import guest_lines, not_attached_lines, state_lines  # noqa: PLC0415 - as above

        if self.dstop.guests is None and self._last is None:
            return []
        asked = self.refusal_lines(width)
        if self._last is None:
            return asked if self.ended else asked + not_attached_lines(self.facts, width)
        frame, guest = self._last
        index = self.process.gpu_index if self.process is not None else None
        lines = asked + ([] if self.ended and guest.devices else state_lines(guest, width, self.state))
        for device in devices_of(frame, guest, index):
            lines += allocator_lines(device, width, frame.step_s, steps)
        return lines + guest_lines(guest, width)

    def action_environment(self) -> None:
        """Scroll to the environment."""
        lines = self.body(self.area[0])
        self._environment_first = False
        self.top = next(
            (y for y, line in enumerate(lines) if line and line[0][0].startswith(" environment")), self.top
        )
        self.draw()

    def action_ask_signal(self, name: str) -> None:
        """Ask, on the overview, whether to send it."""
        if self.ended:
            self.dstop.say(f"{self._whose.pid} has ended: there is nothing to send to")
        elif self.process is None:
            self.dstop.say(f"{self._whose.pid} is on no GPU that the driver lists: signals are sent to rows")
        else:
            self.dismiss()
            self.dstop.ask_signal(name, (self.process,))

    def action_inside(self, name: str) -> None:
        """Open what only the process itself can tell."""
        from dstop.ui.screens import inside  # noqa: PLC0415 - only when it is wanted

        if self.may_look_inside():
            screen: type[inside.InsideScreen] = getattr(inside, name)
            self.app.push_screen(screen(self._whose, self.facts))

    def action_ranks(self) -> None:
        """Open the ranks of the job."""
        from dstop.ui.screens.inside import RankScreen  # noqa: PLC0415 - only when it is wanted

        if self.facts is None or self.facts.job is None:
            self.dstop.say(f"{self._whose.pid} is not one of several ranks")
        else:
            self.app.push_screen(RankScreen(self._whose, self.facts))

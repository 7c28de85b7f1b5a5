"""One process, close up, with graphs that move."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from dstop.draw.detail import command_lines, detail_lines, fact_lines, graph_lines, title_line
from dstop.draw.line import fit_line
from dstop.ui.messages import DetailReady
from dstop.ui.screens.text import TextScreen

if TYPE_CHECKING:
    from textual.binding import BindingType

    from dstop.draw.line import Line
    from dstop.model.frame import ProcessHistory
    from dstop.model.process import GpuProcess
    from dstop.sources.hands import ProcessDetail


class ProcessScreen(TextScreen):
    """What a process is and holds; its command line and environment."""

    KEYS = (("Esc", "back"), ("e", "environment"), ("T K I", "signal"), ("↑↓", "scroll"), ("q", "quit"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "environment", show=False),
        Binding("T", "ask_signal('SIGTERM')", show=False),
        Binding("K", "ask_signal('SIGKILL')", show=False),
        Binding("I", "ask_signal('SIGINT')", show=False),
    ]

    def __init__(self, process: GpuProcess, *, environment_first: bool = False) -> None:
        super().__init__()
        self.process = process
        self.ended = False
        self.detail: ProcessDetail | None = None
        self._environment_first = environment_first
        self._history: ProcessHistory | None = None
        """The last there was: one that has ended is watched no more, and how it ended is what one wants to see."""

    def on_mount(self) -> None:
        """Watch its history, and read what only this screen shows, apart: a stuck process blocks its reader."""
        super().on_mount()
        self.dstop.watch_processes((self.process.key,))
        threading.Thread(target=self._read_detail, name="dstop-detail", daemon=True).start()

    def on_unmount(self) -> None:
        """Stop to watch."""
        self.dstop.watch_processes(())

    def _read_detail(self) -> None:
        hands = self.dstop.hands
        if hands is not None:
            detail = hands.detail(self.process.pid, self.process.facts.started_at_s)
            self.post_message(DetailReady(detail))

    def on_detail_ready(self, message: DetailReady) -> None:
        """Take what the reader found."""
        self.detail = message.detail
        self.draw()
        if self._environment_first:
            self.action_environment()

    def _renew(self) -> None:
        if self.frame is None:
            return
        key = self.process.key
        now = next((process for process in self.frame.sample.processes if process.key == key), None)
        self.ended = now is None
        if now is not None:
            self.process = now

    def title_of(self, width: int) -> Line:
        """Name the process, and say when it has ended."""
        self._renew()
        if self.ended:
            return fit_line(
                ((f" {self.process.pid} has ended; this is its last reading", "badge.bad"),),
                width,
                "badge.bad",
            )
        return title_line(self.process, width)

    def body(self, width: int) -> list[Line]:
        """Facts, graphs, command line, environment."""
        self._renew()
        frame = self.frame
        if frame is None:
            return []
        gpu = next((gpu for gpu in frame.sample.gpus if gpu.index == self.process.gpu_index), None)
        self._history = history = frame.watched.get(self.process.key, self._history)
        steps = frame.history[gpu.index].steps if gpu is not None and gpu.index in frame.history else 0
        lines = fact_lines(self.process, gpu, width, frame.sample.taken_at_ns / 1e9)
        lines += graph_lines(history, gpu, width, frame.step_s, steps)
        lines += command_lines(self.process, width)
        if self.dstop.hands is not None:
            lines += detail_lines(self.detail, width)
        return lines

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
            self.dstop.say(f"{self.process.pid} has ended: there is nothing to send to")
        else:
            self.dismiss()
            self.dstop.ask_signal(name, (self.process,))

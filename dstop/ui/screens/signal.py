"""Which signal to send."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from dstop.draw.line import fit_line
from dstop.draw.overview import scrolled
from dstop.ui.screens.text import TextScreen

if TYPE_CHECKING:
    from textual.binding import BindingType

    from dstop.draw.line import Line
    from dstop.model.process import GpuProcess

CHOICES: tuple[tuple[str, str], ...] = (
    ("SIGTERM", "end in an orderly way; frameworks save and leave"),
    ("SIGINT", "as Ctrl-C: Python raises KeyboardInterrupt"),
    ("SIGHUP", "the terminal is gone"),
    ("SIGQUIT", "end and dump core"),
    ("SIGUSR1", "the program's own meaning: often a checkpoint"),
    ("SIGUSR2", "the program's own meaning"),
    ("SIGSTOP", "stand still; its memory stays"),
    ("SIGCONT", "go on"),
    ("SIGABRT", "abort: Python's faulthandler prints stacks"),
    ("SIGKILL", "end at once; nothing is saved"),
)


class SignalScreen(TextScreen):
    """A list to choose from; the question comes after it."""

    KEYS = (("Enter", "choose"), ("↑↓", "move"), ("Esc", "back"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", show=False),
        Binding("up,k", "scroll_by(-1)", show=False),
        Binding("down,j", "scroll_by(1)", show=False),
    ]

    def __init__(self, processes: tuple[GpuProcess, ...]) -> None:
        super().__init__()
        self.processes = processes
        self.cursor = 0

    def title_of(self, width: int) -> Line:
        """Say to whom."""
        pids = ", ".join(str(process.pid) for process in self.processes)
        return fit_line(((f" send to {pids}", "head"),), width, "head")

    def body(self, width: int) -> list[Line]:
        """The signals, the chosen one marked."""
        lines = []
        for place, (name, meaning) in enumerate(CHOICES):
            number = getattr(signal, name).value
            role = "selected" if place == self.cursor else ""
            lines.append(
                fit_line(((f" {number:>2} {name:<8} ", role or "title"), (f" {meaning}", role)), width, role)
            )
        return lines

    def action_scroll_by(self, lines: int) -> None:
        """Move the choice."""
        self.cursor = max(0, min(self.cursor + lines, len(CHOICES) - 1))
        self.draw()

    def action_scroll_to_top(self) -> None:
        """Choose the first."""
        self.action_scroll_by(-len(CHOICES))

    def action_scroll_to_end(self) -> None:
        """Choose the last."""
        self.action_scroll_by(len(CHOICES))

    def draw(self) -> None:
        """Keep the choice in sight."""
        self.top = scrolled(self.top, self.cursor, max(1, self.area[1] - 2), len(CHOICES))
        super().draw()

    def action_choose(self) -> None:
        """Go back and ask."""
        self.dismiss()
        self.dstop.ask_signal(CHOICES[self.cursor][0], self.processes)

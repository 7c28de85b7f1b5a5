"""A screen of lines that scroll: the log, the help, one process, one card."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from dstop.draw.host_line import problem_lines
from dstop.draw.line import BLANK, fit_line, line_cells
from dstop.draw.replay_label import labels
from dstop.draw.status_line import status_line
from dstop.ui.screens.base import FrameScreen

if TYPE_CHECKING:
    from textual.binding import BindingType
    from textual.events import MouseScrollDown, MouseScrollUp

    from dstop.draw.line import Line


class TextScreen(FrameScreen):
    """Subclasses give the lines; this scrolls them under a title and over a line of keys."""

    KEYS: ClassVar[tuple[tuple[str, str], ...]] = (("Esc", "back"), ("↑↓", "scroll"), ("q", "quit"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,backspace", "back", show=False),
        Binding("up,k", "scroll_by(-1)", show=False),
        Binding("down,j", "scroll_by(1)", show=False),
        Binding("pageup,ctrl+b", "scroll_page(-1)", show=False),
        Binding("pagedown,ctrl+f,space", "scroll_page(1)", show=False),
        Binding("home", "scroll_to_top", show=False),
        Binding("end", "scroll_to_end", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.top = 0
        self._count = 0

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """What the last line offers."""
        return self.KEYS

    @property
    def waiting(self) -> bool:
        """Whether something that a thread reads for this screen is still to come."""
        return False

    @abstractmethod
    def title_of(self, width: int) -> Line:
        """The first line."""

    @abstractmethod
    def body(self, width: int) -> list[Line]:
        """All lines between the title and the keys."""

    def draw(self) -> None:
        """Draw the part that is in sight."""
        width, height = self.area
        problem = problem_lines(self.frame, width, self.now_ns()) if self.frame is not None else []
        head = [self._title(width), *problem]
        visible = max(1, height - 1 - len(head))
        lines = self.body(width)
        self._count = len(lines)
        self.top = max(0, min(self.top, len(lines) - visible))
        shown = lines[self.top : self.top + visible]
        shown += [fit_line(BLANK, width)] * (visible - len(shown))
        flags = ["paused"] if self.dstop.paused else []
        if len(lines) > visible:
            flags.append(f"{self.top + 1}-{min(len(lines), self.top + visible)} of {len(lines)}")
        cost = self.frame.cost if self.frame is not None else None
        status = status_line(self.keys, width, cost=cost, flags=flags, notice=self.dstop.notice)
        self.canvas.show([*head, *shown, status][-height:])

    def _title(self, width: int) -> Line:
        """Say on every screen when figures are none of hardware, or of another day."""
        spans = () if self.frame is None else labels(self.frame)
        needed = line_cells(spans)
        return self.title_of(width) if width < 2 * needed else (*self.title_of(width - needed), *spans)

    def action_back(self) -> None:
        """Return to what was there before."""
        self.dismiss()

    def action_scroll_by(self, lines: int) -> None:
        """Move by lines."""
        self.top += lines
        self.draw()

    def action_scroll_page(self, pages: int) -> None:
        """Move by screens."""
        self.action_scroll_by(pages * max(1, self.area[1] - 3))

    def action_scroll_to_top(self) -> None:
        """Go to the first line."""
        self.top = 0
        self.draw()

    def action_scroll_to_end(self) -> None:
        """Go to the last line."""
        self.top = self._count
        self.draw()

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Three lines a notch."""
        event.stop()
        self.action_scroll_by(3)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Three lines a notch."""
        event.stop()
        self.action_scroll_by(-3)

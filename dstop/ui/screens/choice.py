"""A screen of lines of which one is chosen: what a finding, an incident or a signal is opened from."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from dstop.draw.line import fit_line
from dstop.draw.overview import scrolled
from dstop.ui.screens.text import TextScreen

if TYPE_CHECKING:
    from textual.binding import BindingType
    from textual.events import Click

    from dstop.draw.line import Line


class ChoiceScreen(TextScreen):
    """Subclasses give the choices; the arrows move among them, Enter or a double click opens one."""

    KEYS: ClassVar[tuple[tuple[str, str], ...]] = (
        ("Enter", "open"),
        ("↑↓", "move"),
        ("Esc", "back"),
        ("q", "quit"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "choose", show=False)]

    def __init__(self) -> None:
        super().__init__()
        self.cursor = 0

    @abstractmethod
    def choices(self, width: int) -> list[Line]:
        """One line each, in order."""

    @abstractmethod
    def nothing(self) -> str:
        """What to say where there is no choice."""

    @abstractmethod
    def open(self, place: int) -> None:
        """Open a choice."""

    def body(self, width: int) -> list[Line]:
        """The choices, the chosen one marked."""
        lines = self.choices(width)
        if not lines:
            return [fit_line(((f" {self.nothing()}", "dim"),), width)]
        self.cursor = max(0, min(self.cursor, len(lines) - 1))
        text = "".join(text for text, _ in lines[self.cursor])
        lines[self.cursor] = ((text, "selected"),)
        return lines

    def draw(self) -> None:
        """Keep the choice in sight."""
        count = len(self.choices(self.area[0]))
        self.cursor = max(0, min(self.cursor, count - 1))
        self.top = scrolled(self.top, self.cursor, max(1, self.area[1] - 2), count)
        super().draw()

    def action_scroll_by(self, lines: int) -> None:
        """Move the choice."""
        self.cursor = max(0, self.cursor + lines)
        self.draw()

    def action_scroll_to_top(self) -> None:
        """Choose the first."""
        self.cursor = 0
        self.draw()

    def action_scroll_to_end(self) -> None:
        """Choose the last."""
        self.cursor = self._count
        self.draw()

    def action_choose(self) -> None:
        """Open what is chosen."""
        if self.choices(self.area[0]):
            self.open(self.cursor)

    def on_click(self, event: Click) -> None:
        """Choose the line; twice opens it."""
        place = self.top + event.y - 1
        if 0 <= place < len(self.choices(self.area[0])):
            self.cursor = place
            self.draw()
            if event.chain == 2:  # noqa: PLR2004 - a double click
                self.open(place)

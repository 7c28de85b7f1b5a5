"""What has happened since dstop started."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from dstop.draw.event_lines import event_lines
from dstop.draw.line import clean, fit_line
from dstop.ui.screens.text import TextScreen

if TYPE_CHECKING:
    from textual.binding import BindingType

    from dstop.draw.line import Line


class EventScreen(TextScreen):
    """The event log, newest first; the key that opened it takes it away."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("l", "back", show=False)]

    def title_of(self, width: int) -> Line:
        """Say what it is."""
        return fit_line(((" events since dstop started, newest first", "head"),), width, "head")

    def body(self, width: int) -> list[Line]:
        """What is to be known of how the figures are read, then all events that are kept."""
        if self.frame is None:
            return []
        notices = [fit_line(((f" {clean(text)}", "note"),), width) for text in self.frame.sample.notices]
        return [*notices, *event_lines(self.frame.events, width)]

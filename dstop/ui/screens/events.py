"""What has happened since dstop started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.event_lines import event_lines
from dstop.draw.line import fit_line
from dstop.ui.screens.text import TextScreen

if TYPE_CHECKING:
    from dstop.draw.line import Line


class EventScreen(TextScreen):
    """The event log, newest first."""

    def title_of(self, width: int) -> Line:
        """Say what it is."""
        return fit_line(((" events since dstop started, newest first", "head"),), width, "head")

    def body(self, width: int) -> list[Line]:
        """All that are kept."""
        return event_lines(self.frame.events if self.frame is not None else (), width)

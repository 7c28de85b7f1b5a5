"""Keys, marks and filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from dstop import __version__
from dstop.draw.help import help_lines
from dstop.draw.line import fit_line
from dstop.ui.screens.text import TextScreen

if TYPE_CHECKING:
    from textual.binding import BindingType

    from dstop.draw.line import Line


class HelpScreen(TextScreen):
    """What `?` shows; the same key takes it away."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark,f1,h", "back", show=False)]

    def title_of(self, width: int) -> Line:
        """Name the program and its version."""
        return fit_line(((f" dstop {__version__}: keys, marks, filters", "head"),), width, "head")

    def body(self, width: int) -> list[Line]:
        """The help, laid out for this width."""
        return help_lines(width, replays=self.frame is not None and self.frame.replay is not None)

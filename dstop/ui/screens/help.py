"""Keys, marks and filters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop import __version__
from dstop.draw.help import help_lines
from dstop.draw.line import fit_line
from dstop.ui.screens.text import TextScreen

if TYPE_CHECKING:
    from dstop.draw.line import Line


class HelpScreen(TextScreen):
    """What `?` shows."""

    def title_of(self, width: int) -> Line:
        """Name the program and its version."""
        return fit_line(((f" dstop {__version__}: keys, marks, filters", "head"),), width, "head")

    def body(self, width: int) -> list[Line]:
        """The help, laid out for this width."""
        return help_lines(width)

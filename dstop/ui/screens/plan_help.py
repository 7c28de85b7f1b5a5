"""The keys of the plan's screen, and what its parts are."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from dstop.draw.line import fit_line
from dstop.draw.plan_help import plan_help_lines
from dstop.ui.screens.text import TextScreen

if TYPE_CHECKING:
    from textual.binding import BindingType

    from dstop.draw.line import Line


class PlanHelp(TextScreen):
    """What `?` shows; the same key takes it away."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark,f1,h,q", "back", show=False)]
    KEYS = (("Esc", "back"), ("↑↓", "scroll"))

    def title_of(self, width: int) -> Line:
        """Name it."""
        return fit_line(((" a plan: keys, parts and verdicts", "head"),), width, "head")

    def body(self, width: int) -> list[Line]:
        """The help, laid out for this width."""
        return plan_help_lines(width)

"""What holds more from step to step."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dstop.draw.growth_lines import growth_lines
from dstop.draw.line import fit_line
from dstop.ui.recording.page import ScrollPage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dstop.draw.line import Line
    from dstop.model.study import Growth

_GROWTH = "growth"


class GrowthPage(ScrollPage):
    """The sites that grow, each with its stack."""

    NAME = "growth"
    KEYS = (("↑↓", "scroll"),)

    def questions(self) -> Mapping[str, Callable[[], object]]:
        """Every site at every step end."""
        return {_GROWTH: lambda: self.studied.study.growth}

    def content(self, width: int) -> list[Line]:
        """Draw them."""
        growth = self.studied.answers.get(_GROWTH)
        if growth is None:
            waits = [fit_line(((" comparing the steps …", "note"),), width)]
            return self.trouble(_GROWTH, width) or waits
        return growth_lines(cast("Sequence[Growth]", growth), len(self.studied.marks.steps), width)

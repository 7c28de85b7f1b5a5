"""A list of sites of which one is chosen, and may be unfolded: state and the lines in sight, no widget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.line import BLANK, fit_line
from dstop.draw.site_uses import site_use_line, stack_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line
    from dstop.model.study import SiteUse


class SiteList:
    """The sites change under it when the cursor of the timeline moves: the choice stays at its place in the list."""

    def __init__(self) -> None:
        self.chosen = 0
        self.top = 0
        self.unfolded = 0
        """0: not; 1: its Python frames; 2: all of its frames."""
        self._owners: list[int] = []
        """Whose each line in sight is."""

    def move(self, by: int) -> None:
        """Choose another; what was unfolded folds."""
        self.chosen = max(0, self.chosen + by)
        self.unfolded = 0

    def fold(self) -> None:
        """Show the Python frames of the chosen one, then all frames, then none."""
        self.unfolded = (self.unfolded + 1) % 3

    def click(self, line: int, *, twice: bool) -> bool:
        """Choose what is in a line; twice unfolds it. False where there is nothing."""
        if not 0 <= line < len(self._owners):
            return False
        if self._owners[line] != self.chosen:
            self.move(self._owners[line] - self.chosen)
        if twice:
            self.fold()
        return True

    def lines(self, sites: Sequence[SiteUse], live: int, width: int, height: int) -> list[Line]:
        """Draw the part in sight, exactly `height` lines."""
        self.chosen = max(0, min(self.chosen, len(sites) - 1))
        lines: list[Line] = []
        owners: list[int] = []
        if height > 0 and sites:
            self.top = max(self.chosen - height + 1, min(self.top, self.chosen, max(0, len(sites) - height)))
            stack = self._stack(sites[self.chosen], width)
            if stack:
                # The stack is what one wants to see now: the line it belongs to goes up as far as it needs.
                self.top = max(self.top, min(self.chosen, self.chosen + 1 + len(stack) - height))
            for place in range(self.top, min(len(sites), self.top + height)):
                line = site_use_line(sites[place], live, width)
                if place == self.chosen:
                    line = (("".join(text for text, _ in line), "selected"),)
                lines.append(line)
                owners.append(place)
                if place == self.chosen:
                    lines += stack
                    owners += [place] * len(stack)
        self._owners = owners[:height]
        return (lines + [fit_line(BLANK, width)] * (height - len(lines)))[: max(0, height)]

    def _stack(self, site: SiteUse, width: int) -> list[Line]:
        if not self.unfolded:
            return []
        lines = stack_lines(site, width, native=False)
        if self.unfolded == 1:
            return lines
        whole = stack_lines(site, width)
        if whole == lines:  # it has one language: there is nothing more to see
            self.unfolded = 0
            return []
        return whole

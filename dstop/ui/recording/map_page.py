"""Where the allocator has its memory when the snapshot was taken, and what keeps it from giving it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dstop.draw.life_map import map_head_lines, map_row_line, map_rows
from dstop.draw.line import BLANK, fit_line
from dstop.draw.pin_lines import pin_lines
from dstop.model.study import Fragmentation
from dstop.ui.recording.page import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dstop.draw.line import Line
    from dstop.ui.recording.studied import Studied

_BLOCKS, _FRAGMENTS = "blocks", "fragmentation"


class MapPage(Page):
    """Only the rows in sight are drawn: a snapshot may have thousands of segments and a hundred thousand blocks."""

    NAME = "map"
    KEYS = (("↑↓", "scroll"), ("End", "what pins it"))

    def __init__(self, studied: Studied) -> None:
        super().__init__(studied)
        self.top = 0
        self._rows = map_rows(studied.study.snapshot.segments_of(studied.study.device))
        self._drawn: dict[tuple[int, int, bool], Line] = {}

    def questions(self) -> Mapping[str, Callable[[], object]]:
        """What the blocks are for, and which of them pin segments."""
        from dstop.snapshot.blocks import block_categories  # noqa: PLC0415 - numpy is loaded by now

        study = self.studied.study
        return {_BLOCKS: lambda: block_categories(study), _FRAGMENTS: lambda: study.fragmentation}

    def lines(self, width: int, height: int) -> list[Line]:
        """Draw the head, the rows in sight, and under the last row who pins what is free."""
        known = self.studied.answers.get(_BLOCKS)
        categories = cast("Mapping[int, str]", known) if known is not None else None
        head = map_head_lines(self._rows, categories, width) if self._rows else []
        if not self._rows:
            return [fit_line(((" the allocator has no segments", "dim"),), width)]
        tail = self._tail(width)
        room = max(0, height - len(head))
        count = len(self._rows) + len(tail)
        self.top = max(0, min(self.top, count - room))
        lines = [
            self._row(place, categories, width) if place < len(self._rows) else tail[place - len(self._rows)]
            for place in range(self.top, min(count, self.top + room))
        ]
        return [*head, *lines][:height]

    def _tail(self, width: int) -> list[Line]:
        fragments = self.studied.answers.get(_FRAGMENTS)
        if not isinstance(fragments, Fragmentation):
            return self.trouble(_FRAGMENTS, width)
        pins = pin_lines(fragments, width)
        return [fit_line(BLANK, width), *pins] if pins else []

    def _row(self, place: int, categories: Mapping[int, str] | None, width: int) -> Line:
        key = (place, width, categories is not None)
        if key not in self._drawn:
            if len(self._drawn) > 10 * len(self._rows):
                self._drawn.clear()
            self._drawn[key] = map_row_line(self._rows[place], categories or {}, width)
        return self._drawn[key]

    def move(self, by: int) -> None:
        """Scroll."""
        self.top = max(0, self.top + by)

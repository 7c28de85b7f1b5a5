"""Bytes over time with a cursor, and what is live at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.moment_view import Seen, moment_view_lines, room_of
from dstop.draw.timeline import column_of, graph_width, position_at
from dstop.ui.recording.page import Page
from dstop.ui.recording.site_list import SiteList

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line
    from dstop.draw.moment_view import Room
    from dstop.ui.recording.studied import Studied

_FAR = 10
"""Columns that a shifted arrow goes."""
IN, OUT = 0.5, 2.0


class TimelinePage(Page):
    """The first page."""

    NAME = "timeline"
    KEYS = (
        ("←→", "cursor"),
        ("+-", "zoom"),
        ("p", "peak"),
        ("n N", "step"),
        ("o", "OOM"),
        ("Enter", "stack"),
    )

    def __init__(self, studied: Studied) -> None:
        super().__init__(studied)
        self.sites = SiteList()
        self._width = 80
        self._room: Room | None = None

    def lines(self, width: int, height: int) -> list[Line]:
        """Draw graph, moment and sites."""
        moment, failure = self.studied.moment, self.studied.failure
        room = room_of(
            len(moment.shares),
            width,
            height,
            extra=int(failure is not None),
            recorded=self.studied.facts.events > 0,
        )
        self._width, self._room = width, room
        listed = self.sites.lines(moment.sites, moment.live_bytes, width - room.sites_left, room.sites)
        curve = self.studied.curve(graph_width(width))
        chosen = moment.sites[self.sites.chosen] if moment.sites and not self.sites.unfolded else None
        seen = Seen(curve=curve, marks=self.studied.marks, moment=moment, failure=failure, chosen=chosen)
        return moment_view_lines(seen, listed, width, height)

    def flags(self) -> Sequence[str]:
        """Say how much of the recording is in sight."""
        window = self.studied.window
        return () if window.is_whole else (f"{window.first:,}-{window.last:,} of {window.events:,}",)

    # ---- the cursor --------------------------------------------------------------------------------------------

    def go(self, columns: int) -> None:
        """Move by columns of the picture, to the highest moment of each; out of it by as many events as one has."""
        studied, window = self.studied, self.studied.window
        curve = studied.curve(graph_width(self._width))
        pieces = len(curve.events)
        at = column_of(curve, window.cursor, self._width)
        place = 0 if at is None else (at - column_of_first(self._width)) * pieces // graph_width(self._width)
        wanted = place + columns
        if 0 <= wanted < pieces:
            studied.window = window.at(curve.events[wanted])
        else:
            size = max(1, (window.last - window.first) // pieces)
            studied.window = window.at(window.cursor + columns * size)

    def go_far(self, direction: int) -> None:
        """Move by many columns."""
        self.go(_FAR * direction)

    def go_to(self, position: int) -> None:
        """Put the cursor somewhere."""
        self.studied.window = self.studied.window.at(position)

    def next_of(self, marks: Sequence[int], direction: int) -> bool:
        """Go to the next mark, or the one before, from the end on to the first; False where there is none."""
        at = self.studied.window.cursor
        if not marks:
            return False
        beyond = [mark for mark in marks if (mark > at if direction > 0 else mark < at)]
        chosen = (beyond or list(marks))[0 if direction > 0 else -1]
        self.go_to(chosen)
        return True

    def zoom(self, factor: float) -> None:
        """Show less or more, around the cursor."""
        self.studied.window = self.studied.window.zoomed(factor)

    def show_all(self) -> None:
        """Show everything."""
        self.studied.window = self.studied.window.whole()

    # ---- the list, and the mouse -------------------------------------------------------------------------------

    def move(self, by: int) -> None:
        """Choose another site."""
        self.sites.move(by)

    def jump(self, *, to_end: bool) -> None:
        """Go to the beginning or the end of the recording."""
        self.go_to(self.studied.window.events if to_end else 0)

    def enter(self) -> bool:
        """Unfold the chosen site."""
        self.sites.fold()
        return True

    def click(self, x: int, y: int, *, twice: bool) -> bool:
        """Put the cursor there, or choose the site."""
        room = self._room
        if room is None:
            return False
        if y < room.graph:
            position = position_at(self.studied.curve(graph_width(self._width)), x, self._width)
            if position is not None:
                self.go_to(position)
            return position is not None
        return x >= room.sites_left and self.sites.click(y - room.sites_top, twice=twice)

    def wheel(self, y: int, by: int) -> None:
        """Zoom over the graph, scroll over the list."""
        if self._room is not None and y < self._room.graph:
            self.zoom(OUT if by > 0 else IN)
        else:
            self.move(by)


def column_of_first(width: int) -> int:
    """Give the cell at which the graph begins."""
    return width - 1 - graph_width(width)

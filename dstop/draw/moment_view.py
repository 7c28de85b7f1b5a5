"""The timeline and, under it, the moment at its cursor: how the room is shared, and all of its lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.draw.category_bar import category_bar, category_legend, category_table
from dstop.draw.detail import heading
from dstop.draw.line import BLANK, fit_line
from dstop.draw.moment_lines import NOT_RECORDED, failure_line, moment_line
from dstop.draw.site_uses import stack_lines
from dstop.draw.timeline import timeline_lines
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line
    from dstop.draw.timeline import Marks
    from dstop.model.study import Curve, Failure, Moment, SiteUse

_LEAST_GRAPH, _LEAST_LIST = 5, 4
_BESIDE = 150
"""From here on the table stands beside the sites."""
_TABLE = 84
_LINES = 2
"""Of the moment: its words and its bar."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Room(Value):
    """Who gets which lines, from the top: the graph, the moment, its categories, and below or beside them the sites."""

    graph: int
    categories: int
    sites: int
    """Lines of the list of sites."""
    sites_top: int
    """The line of the first one."""
    sites_left: int
    """The cell at which they begin."""


def room_of(shares: int, width: int, height: int, *, extra: int = 0, recorded: bool = True) -> Room:
    """Share out `height` lines.

    Args:
        shares: how many categories have anything.
        width: cells.
        height: lines.
        extra: lines beside the two of the moment, such as those of a failure.
        recorded: whether there are events, and so a graph.
    """
    beside = width >= _BESIDE
    legend = shares if beside else len_of_legend(shares, width)
    fixed = _LINES + extra + 1
    below = max(legend, 2 * _LEAST_LIST) if beside else legend + _LEAST_LIST
    graph = max(_LEAST_GRAPH, min(height - fixed - below, round(height * (0.55 if beside else 0.45))))
    graph = graph if recorded else len(NOT_RECORDED) + 1
    top = graph + fixed + (0 if beside else legend)
    return Room(
        graph=min(graph, height),
        categories=legend,
        sites=max(0, height - top),
        sites_top=top,
        sites_left=_TABLE if beside else 0,
    )


def len_of_legend(shares: int, width: int) -> int:
    """Count the lines of `category_legend`."""
    return -(-shares // max(1, width // 38))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Seen(Value):
    """What is to be seen of a recording."""

    curve: Curve
    """The part in sight."""
    marks: Marks
    """Of the whole recording."""
    moment: Moment
    """At the cursor."""
    failure: Failure | None = None
    """The error at the cursor."""
    chosen: SiteUse | None = None
    """Whose stack is shown where there is room beside the sites."""


def moment_view_lines(seen: Seen, sites: Sequence[Line], width: int, height: int) -> list[Line]:
    """Draw all of it, `height` lines of `width` cells.

    Args:
        seen: the recording.
        sites: the lines of the list of sites that are in sight, as wide as its room (`room_of`).
        width: cells.
        height: lines.
    """
    curve, moment, failure = seen.curve, seen.moment, seen.failure
    recorded = curve.last > 0
    room = room_of(len(moment.shares), width, height, extra=int(failure is not None), recorded=recorded)
    if recorded:
        lines = timeline_lines(curve, seen.marks, moment.event, width, room.graph)
    else:
        lines = [fit_line(((f" {text}", "note"),), width) for text in NOT_RECORDED]
        lines += [fit_line(BLANK, width)] * (room.graph - len(lines))
    lines.append(moment_line(moment, seen.marks.begin_us, width, recorded=recorded))
    if failure is not None:
        lines.append(failure_line(failure, width))
    lines.append(fit_line(((" ", ""), *category_bar(moment, width - 2)), width))
    if not room.sites_left:
        lines += category_legend(moment.shares, moment.live_bytes, width)
        lines.append(_heading(moment, width))
        return [*lines, *sites][:height]
    table = category_table(moment, room.sites_left - 2)
    heads = [_heading(moment, width - room.sites_left)]
    right = [*heads, *sites]
    beside = [BLANK, *table, *_stack(seen, room.sites_left)]
    for place in range(max(len(table) + 1, len(right))):
        left = beside[place] if place < len(beside) else BLANK
        other = right[place] if place < len(right) else BLANK
        lines.append(fit_line((*fit_line(left, room.sites_left), *other), width))
    return lines[:height]


def _stack(seen: Seen, width: int) -> list[Line]:
    """Draw the stack of the chosen site, under the table."""
    if seen.chosen is None:
        return []
    return [BLANK, heading("where it was asked for", width), *stack_lines(seen.chosen, width, native=False)]


def _heading(moment: Moment, width: int) -> Line:
    text = " who holds it" if moment.sites else " nothing is live at this moment"
    return fit_line(((text, "group"),), width)

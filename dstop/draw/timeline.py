"""Live bytes over a recording as a stacked area, what is reserved as a line above, and a cursor in it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, groupby, pairwise
from typing import TYPE_CHECKING

from dstop.draw.category_bar import CHARS, role_of
from dstop.draw.line import fit, fit_line
from dstop.draw.ticks import span_text, tick_columns, top_and_step
from dstop.model.study import CATEGORIES
from dstop.model.value import Value
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.draw.line import Line, Span
    from dstop.model.study import Curve

AXIS = 8
"""Cells of the bytes at the left, and of the line beside them."""
AROUND = 2
"""Lines that are not graph: the marks above and the times below."""
PEAK, FAILED, STEP = "▼", "✗", "╷"
_PARTS = " ▁▂▃▄▅▆▇"
_EMPTY: Span = (" ", "")
_CURSOR: Span = ("│", "cursor")
_RESERVED: Span = ("─", "label")
_FAILURE: Span = ("┊", "graph.oom")
_APART = 4
"""Steps nearer to each other than so many cells are not marked: a row of nothing but marks says nothing."""
_BEHIND = " ─"
"""Through what the line of a failure goes: the area hides it."""
_LOOKS: tuple[Span, ...] = tuple((CHARS[name], role_of(name)) for name in CATEGORIES)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Marks(Value):
    """Positions of a recording worth finding."""

    peak: int
    failures: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()
    """Where each training step ends, rising."""
    begin_us: int | None = None
    """When the recording began, by the clock of `Curve.time_us`; None where torch says no times."""


def graph_width(width: int) -> int:
    """Say how many pieces a curve needs at most for a picture of `width` cells."""
    return max(1, width - AXIS - 1)


def position_at(curve: Curve, column: int, width: int) -> int | None:
    """Give the position under a cell of the picture; None beside the graph."""
    place, pieces = column - AXIS, len(curve.events)
    if not 0 <= place < graph_width(width):
        return None
    return curve.events[place * pieces // graph_width(width)]


def column_of(curve: Curve, position: int, width: int) -> int | None:
    """Give the cell of the picture in which a position lies; None where it is out of sight."""
    if not curve.first <= position <= curve.last:
        return None
    cells, pieces = graph_width(width), len(curve.events)
    piece = min(pieces - 1, bisect_right(_edges(curve), position) - 1)
    return AXIS + -(-piece * cells // pieces)


@lru_cache(maxsize=8)
def _edges_of(first: int, last: int, pieces: int) -> tuple[int, ...]:
    size = last + 1 - first
    return tuple(first + size * piece // pieces for piece in range(pieces + 1))


def _edges(curve: Curve) -> tuple[int, ...]:
    """Give where each piece begins, and where the last one ends."""
    return _edges_of(curve.first, curve.last, len(curve.events))


def timeline_lines(curve: Curve, marks: Marks, cursor: int, width: int, height: int) -> list[Line]:
    """Draw marks, graph and times: `height` lines of `width` cells.

    Args:
        curve: not more than `graph_width(width)` pieces are seen of it.
        marks: what is shown above the graph.
        cursor: a position; it is a line across the graph.
        width: cells.
        height: rows, at least three.
    """
    if width < AXIS + 2:  # nothing but the edge of the axis is left of it
        whole = timeline_lines(curve, marks, cursor, AXIS + 2, height)
        return [fit_line(line, width) for line in whole]
    at = column_of(curve, cursor, width)
    lines = [_marks_line(_signs(curve, marks, width), at, width)]
    graph = _graph(curve, marks, width, max(1, height - AROUND))
    lines += graph if at is None else [_with_cell(line, at, _CURSOR) for line in graph]
    return [*lines, _times_line(curve, marks, at, width)][:height]


@lru_cache(maxsize=8)
def _graph(curve: Curve, marks: Marks, width: int, rows: int) -> list[Line]:
    """Draw the graph without the cursor, top row first; kept, because only the cursor moves over it."""
    cells = graph_width(width)
    top, step = top_and_step(max(1, *curve.live_bytes, *curve.reserved_bytes), rows)
    failed = [column for column, sign in _signs(curve, marks, width).items() if sign[0] == FAILED]
    labels = {min(rows - 1, round(rows * value / top)): value for value in range(0, top + 1, step)}
    lines: list[Line] = []
    for row, cells_of_row in enumerate(zip(*_columns(curve, rows, cells, top), strict=True)):
        line = fit_line((_axis(labels.get(row)), *_runs(cells_of_row)), width)
        for column in failed:
            if cells_of_row[column - AXIS][0] in _BEHIND:
                line = _with_cell(line, column, _FAILURE)
        lines.append(line)
    return lines[::-1]


def _with_cell(line: Line, column: int, cell: Span) -> Line:
    """Put another character at one cell of a line, all of whose characters are one cell wide."""
    spans: list[Span] = []
    start = 0
    for text, role in line:
        place = column - start
        if 0 <= place < len(text):
            pieces = ((text[:place], role), cell, (text[place + 1 :], role))
            spans += [piece for piece in pieces if piece[0]]
        else:
            spans.append((text, role))
        start += len(text)
    return tuple(spans)


def _axis(value: int | None) -> Span:
    if value is None:
        return (" " * (AXIS - 1) + "│", "dim")
    return (fit(bytes_text(value) if value else "0", AXIS - 2, right=True) + " ┤", "dim")


def _runs(cells: Sequence[Span]) -> list[Span]:
    return [
        ("".join(char for char, _ in group), role) for role, group in groupby(cells, key=lambda cell: cell[1])
    ]


def _columns(curve: Curve, rows: int, cells: int, top: int) -> list[list[Span]]:
    """Give each column of the graph, lowest row first."""
    pieces = len(curve.events)
    made: list[list[Span]] = []
    before = -1
    for place in range(cells):
        piece = place * pieces // cells
        if piece == before:
            made.append(made[-1])
            continue
        before = piece
        parts = [values[piece] * rows / top for values in curve.shares]
        made.append(_column(parts, curve.reserved_bytes[piece] * rows / top, rows))
    return made


def _column(parts: Sequence[float], reserved: float, rows: int) -> list[Span]:
    """Stack the parts, in rows: each cell shows who has most of it, the last one how far it is filled."""
    edges = list(accumulate(parts))
    live = edges[-1] if edges else 0.0
    column: list[Span] = []
    part = 0
    for row in range(rows):
        if live <= row:
            break
        most, chosen = 0.0, part
        while part < len(edges):
            begin = edges[part] - parts[part]
            share = min(edges[part], row + 1) - max(begin, row)
            if share > most:
                most, chosen = share, part
            if edges[part] >= row + 1:
                break
            part += 1
        char, role = _LOOKS[min(chosen, len(_LOOKS) - 1)]
        filled = min(8, round((live - row) * 8))
        column.append((char, role) if filled == 8 else (_PARTS[max(1, filled)], role))  # noqa: PLR2004 - eighths
        part = min(part, len(edges) - 1)
    column += [_EMPTY] * (rows - len(column))
    line = min(rows - 1, int(reserved))
    if reserved > 0 and column[line] == _EMPTY:
        column[line] = _RESERVED
    return column


@lru_cache(maxsize=8)
def _signs(curve: Curve, marks: Marks, width: int) -> Mapping[int, Span]:
    """Give the sign above each column that has one; a failure hides the peak, the peak a step."""
    signs: dict[int, Span] = {}
    for positions, sign in (
        (marks.steps, (STEP, "dim")),
        ((marks.peak,), (PEAK, "warn")),
        (marks.failures, (FAILED, "bad")),
    ):
        first, after = bisect_left(positions, curve.first), bisect_right(positions, curve.last)
        if sign[0] == STEP and after - first > graph_width(width) // _APART:
            continue
        for position in positions[first:after]:
            column = column_of(curve, position, width)
            if column is not None:
                signs[column] = sign
    return signs


def _marks_line(signs: Mapping[int, Span], at: int | None, width: int) -> Line:
    cells = [signs.get(column, _EMPTY) for column in range(width)]
    if at is not None and cells[at] == _EMPTY:
        cells[at] = ("╷", "cursor")
    return fit_line(tuple(_runs(cells)), width)


def _times_line(curve: Curve, marks: Marks, at: int | None, width: int) -> Line:
    """Write when it was, since the recording began; events where torch says no times."""
    cells, pieces = graph_width(width), len(curve.events)
    text = [" "] * width
    ticks = [min(pieces - 1, place * pieces // cells) for place in tick_columns(cells)]
    times = [curve.time_us[piece] for piece in ticks]
    between = min((after - before for before, after in pairwise(times) if after > before), default=1)
    for place, piece in zip(tick_columns(cells), ticks, strict=True):
        if marks.begin_us is None:
            label = f"#{curve.events[piece]:,}"
        else:
            label = span_text(max(0, curve.time_us[piece] - marks.begin_us), between)
        start = AXIS + place
        if start + len(label) <= width:
            text[start : start + len(label)] = label
    whole = "".join(text)
    if at is None or whole[at : at + 1] != " ":
        return fit_line(((whole, "dim"),), width)
    return fit_line(((whole[:at], "dim"), ("▲", "cursor"), (whole[at + 1 :], "dim")), width)

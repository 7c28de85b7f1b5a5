"""The segments of a snapshot at its end, each block in the colour of what it is for, with the holes between them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from dstop.draw.category_bar import CHARS, TITLES, role_of
from dstop.draw.line import fit, fit_line, line_cells
from dstop.draw.segment_map import FREE, segment_kind
from dstop.model.segment import INACTIVE, PENDING
from dstop.model.study import CATEGORIES
from dstop.model.value import Value
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dstop.draw.line import Line, Span
    from dstop.snapshot.values import Block, Segment

WAITING = "×"
"""No shade: the categories have those."""
_SIZE, _FREE, _HOLE, _KIND = 7, 11, 13, 22
_LEAST_BAR = 20
_LOOKS: Mapping[str, Span] = {
    **{name: (CHARS[name], role_of(name)) for name in CATEGORIES},
    PENDING: (WAITING, "seg.pending"),
    INACTIVE: (FREE, "dim"),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class MapRow(Value):
    """One segment, or the small ones of a pool and stream together."""

    segments: tuple[Segment, ...]
    total_bytes: int
    free_bytes: int
    """In no use, and waiting for no stream."""
    largest_hole_bytes: int
    holes: int


def map_rows(segments: Sequence[Segment]) -> tuple[MapRow, ...]:
    """Put the small segments of a pool and a stream together; the largest row comes first."""
    groups: dict[object, list[Segment]] = {}
    for each in segments:
        alone = not each.small or each.expandable
        groups.setdefault(each.address if alone else (each.pool, each.stream), []).append(each)
    rows = [_row_of(tuple(group)) for group in groups.values()]
    return tuple(sorted(rows, key=lambda row: (-row.total_bytes, row.segments[0].address)))


def _row_of(segments: tuple[Segment, ...]) -> MapRow:
    holes = [block.size_bytes for each in segments for block in each.blocks if block.state == INACTIVE]
    return MapRow(
        segments=segments,
        total_bytes=sum(each.total_bytes for each in segments),
        free_bytes=sum(holes),
        largest_hole_bytes=max(holes, default=0),
        holes=len(holes),
    )


def map_head_lines(rows: Sequence[MapRow], categories: Mapping[int, str] | None, width: int) -> list[Line]:
    """Say what the segments come to, and what the signs mean.

    Args:
        rows: all of them.
        categories: by the address of a block; None while that is not known.
        width: cells.
    """
    total, free = sum(row.total_bytes for row in rows), sum(row.free_bytes for row in rows)
    count = sum(len(row.segments) for row in rows)
    whole = sum(
        each.total_bytes
        for row in rows
        for each in row.segments
        if all(b.state == INACTIVE for b in each.blocks)
    )
    hole = max((row.largest_hole_bytes for row in rows), default=0)
    segments_text = f"{count} segment{'s' if count != 1 else ''}, {bytes_text(total)}"
    text = f" at the end: {segments_text}; free {bytes_text(free)}, {bytes_text(whole)} of it whole segments;"
    text += f" largest hole {bytes_text(hole)}"
    lines = [fit_line(((text, "group"),), width)]
    used = [name for name in CATEGORIES if categories is not None and name in set(categories.values())]
    items: list[Line] = [((_LOOKS[name][0], _LOOKS[name][1]), (f" {TITLES[name]}", "label")) for name in used]
    items.append(((WAITING, "seg.pending"), (" awaits other streams", "label")))
    items.append(((FREE, "dim"), (" free", "label")))
    line: list[Span] = [(" ", "")]
    for item in items:
        if line_cells(line) + line_cells(item) + 2 > width:
            lines.append(fit_line(tuple(line), width))
            line = [(" ", "")]
        line += [*item, ("  ", "")]
    return [*lines, fit_line(tuple(line), width)]


def map_row_line(row: MapRow, categories: Mapping[int, str], width: int) -> Line:
    """Draw a row: its size, what is free in it, its largest hole where it has several, what it is, and its blocks."""
    hole = f"hole {bytes_text(row.largest_hole_bytes)}" if row.holes > 1 else ""
    spans: list[Span] = [
        (fit(bytes_text(row.total_bytes), _SIZE, right=True), "title"),
        (fit(f"{bytes_text(row.free_bytes)} free" if row.free_bytes else "", _FREE, right=True), "dim"),
    ]
    left = width - _SIZE - _FREE - 1
    if left >= _HOLE + _LEAST_BAR:
        spans.append((fit(f"  {hole}", _HOLE), "dim"))
        left -= _HOLE
    if left >= _KIND + 2 * _LEAST_BAR:
        spans.append((fit(f" {segment_kind(row.segments[0], len(row.segments))}", _KIND), "label"))
        left -= _KIND
    spans.append((" ", ""))
    blocks = [block for each in row.segments for block in each.blocks]
    spans += _cells(blocks, row.total_bytes, max(0, left - 1), categories)
    return fit_line(tuple(spans), width)


def _cells(blocks: Sequence[Block], total: int, width: int, categories: Mapping[int, str]) -> list[Span]:
    """Give each cell to whom most of it belongs."""
    if total <= 0 or width <= 0:
        return []
    amounts: list[dict[str, float]] = [{} for _ in range(width)]
    for look, start, end in _pieces(blocks, width / total, categories):
        cell = int(start)
        while cell < width and cell < end:
            share = min(end, cell + 1) - max(start, cell)
            amounts[cell][look] = amounts[cell].get(look, 0.0) + share
            cell += 1
    most = [max(cell, key=cell.__getitem__) if cell else INACTIVE for cell in amounts]
    return [(_LOOKS[look][0] * len(list(group)), _LOOKS[look][1]) for look, group in groupby(most)]


def _pieces(
    blocks: Sequence[Block], scale: float, categories: Mapping[int, str]
) -> Iterator[tuple[str, float, float]]:
    """Give what each block is, and the cells from and to which it reaches."""
    position = 0.0
    for block in blocks:
        start, position = position, position + block.size_bytes * scale
        if block.state in {INACTIVE, PENDING}:
            yield block.state, start, position
        else:
            yield categories.get(block.address, "unknown"), start, position

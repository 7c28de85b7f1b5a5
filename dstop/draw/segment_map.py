"""The segments of an allocator: what each has in use, waiting and free, and what the whole could still give."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Protocol

from dstop.draw.line import fit, fit_line
from dstop.draw.memory_bar import UNATTRIBUTED
from dstop.model.segment import ACTIVE, INACTIVE, PENDING
from dstop.model.value import Value
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dstop.draw.line import Line, Span
    from dstop.model.segment import Block, Segment, SegmentMap

USED, WAITING, FREE = "█", UNATTRIBUTED, "·"
_CHARS = {ACTIVE: (USED, "seg.a"), PENDING: (WAITING, "seg.pending"), INACTIVE: (FREE, "dim")}
_SHARED = (0, 0)
_SIZE, _FREE, _KIND = 7, 11, 22
_LEAST_BAR = 10


class KindOfSegment(Protocol):
    """What a guest's segment and a snapshot's have in common."""

    @property
    def pool(self) -> tuple[int, int]:
        """(0, 0) is everybody's."""

    @property
    def expandable(self) -> bool:
        """Whether pages are mapped into it."""

    @property
    def small(self) -> bool:
        """Of the pool for small requests."""

    @property
    def stream(self) -> int:
        """The stream's handle; 0 is the default stream."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Totals(Value):
    """What the segments of one device come to."""

    segments: int
    total_bytes: int
    used_bytes: int
    pending_bytes: int
    free_bytes: int
    largest_free_bytes: int
    """The largest free block of any pool."""
    private_free_bytes: int
    """Free in pools of CUDA graphs and MemPools: nobody else's requests are served from there."""
    fitting_bytes: int
    """The largest free block that an ordinary request may have: of the shared pool, on one stream."""


def totals_of(segments: Sequence[Segment]) -> Totals:
    """Add up; a request is served from one block, so the largest one says what fits without asking the driver."""
    free = [(each, block.size_bytes) for each in segments for block in each.blocks if block.state == INACTIVE]
    total = sum(each.total_bytes for each in segments)
    active = sum(each.active_bytes for each in segments)
    used = sum(each.allocated_bytes for each in segments)
    return Totals(
        segments=len(segments),
        total_bytes=total,
        used_bytes=used,
        pending_bytes=max(0, active - used),
        free_bytes=max(0, total - active),
        largest_free_bytes=max((size for _, size in free), default=0),
        private_free_bytes=sum(size for each, size in free if each.pool != _SHARED),
        fitting_bytes=max((size for each, size in free if each.pool == _SHARED), default=0),
    )


def segment_map_lines(segment_map: SegmentMap, width: int) -> list[Line]:
    """Draw every device's totals and its segments, the largest first; small ones of a pool are one line."""
    if not segment_map.segments:
        return [fit_line(((" the allocator has no segments", "dim"),), width)]
    lines = _legend(width)
    by_device = sorted(segment_map.segments, key=lambda each: each.device_index)
    for index, mine in groupby(by_device, key=lambda each: each.device_index):
        segments = list(mine)
        lines += _total_lines(index, totals_of(segments), width)
        lines += [_row(row, width) for row in _rows(segments)]
    if segment_map.left_out:
        text = f" {segment_map.left_out} more segments are not shown: the hook sends no more than that"
        lines.append(fit_line(((text, "dim"),), width))
    return lines


def _legend(width: int) -> list[Line]:
    spans: Line = (
        (f" {USED}", "seg.a"),
        (" in use  ", "label"),
        (USED, "seg.private"),
        (" in a private pool  ", "label"),
        (WAITING, "seg.pending"),
        (" other streams  ", "label"),
        (FREE, "dim"),
        (" free", "label"),
    )
    return [fit_line(spans, width)]


def _total_lines(index: int, totals: Totals, width: int) -> list[Line]:
    count = f"{totals.segments} segment{'s' if totals.segments != 1 else ''}"
    waiting, private = bytes_text(totals.pending_bytes), bytes_text(totals.private_free_bytes)
    held = f"   in use {bytes_text(totals.used_bytes)}, other streams {waiting},"
    held += f" free {bytes_text(totals.free_bytes)} (in private pools {private})"
    room = f"   largest free block {bytes_text(totals.largest_free_bytes)}; largest request that fits without"
    room += f" cudaMalloc {bytes_text(totals.fitting_bytes)}"
    head = f" cuda:{index}  {count}, {bytes_text(totals.total_bytes)}"
    return [fit_line((span,), width) for span in ((head, "group"), (held, ""), (room, ""))]


def _rows(segments: Iterable[Segment]) -> Iterator[list[Segment]]:
    """Group the small segments of a pool and a stream; the rest are rows of their own, the largest first."""
    groups: dict[object, list[Segment]] = {}
    for each in segments:
        key = (
            (each.pool, each.stream)
            if each.small and not each.expandable
            else (each.address, each.device_index)
        )
        groups.setdefault(key, []).append(each)
    yield from sorted(groups.values(), key=lambda row: -sum(each.total_bytes for each in row))


def _row(row: Sequence[Segment], width: int) -> Line:
    total = sum(each.total_bytes for each in row)
    free = total - sum(each.active_bytes for each in row)
    first = row[0]
    spans: list[Span] = [
        (fit(bytes_text(total), _SIZE, right=True), "title"),
        (fit(f"{bytes_text(free)} free" if free > 0 else "", _FREE, right=True) + " ", "dim"),
    ]
    left = width - _SIZE - _FREE - 1
    if left >= _KIND + _LEAST_BAR:
        spans.append(
            (fit(segment_kind(first, len(row)), _KIND), "seg.private" if first.pool != _SHARED else "label")
        )
        left -= _KIND
    blocks = [block for each in row for block in each.blocks]
    spans += _cells(blocks, total, max(0, left - 1), private=first.pool != _SHARED)
    return fit_line(tuple(spans), width)


def segment_kind(first: KindOfSegment, count: int) -> str:
    """Say in words what the segments of a row are, of which this is the first."""
    words = []
    if first.pool != _SHARED:
        words.append(f"pool {first.pool[0]},{first.pool[1]}")
    if first.expandable:
        words.append("expandable")
    if first.small:
        words.append(f"{count} small" if count > 1 else "small")
    if first.stream:
        words.append("side stream")
    return " ".join(words) or "large"


def _cells(blocks: Sequence[Block], total: int, width: int, *, private: bool) -> list[Span]:
    """Give each cell to the state that has most of it; a tie goes to what is in use."""
    if total <= 0 or width <= 0:
        return []
    amounts = [dict.fromkeys(_CHARS, 0.0) for _ in range(width)]
    position = 0.0
    for block in blocks:
        start, position = position, position + block.size_bytes * width / total
        cell = int(start)
        while cell < width and cell < position:
            amounts[cell][block.state if block.state in _CHARS else ACTIVE] += min(position, cell + 1) - max(
                start, cell
            )
            cell += 1
    most = [max(states, key=states.__getitem__) for states in amounts]
    spans: list[Span] = []
    for state, group in groupby(most):
        char, role = _CHARS[state]
        spans.append((char * len(list(group)), "seg.private" if private and state == ACTIVE else role))
    return spans

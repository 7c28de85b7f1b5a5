"""What the free memory of an allocator is good for: what can be given back, the largest hole, and who is in the way.

Sources of the rules: `release_cached_blocks`, `get_free_block` and `ExpandableSegment::unmap` of
`c10/cuda/CUDACachingAllocator.cpp`: a flush frees segments without any block in use, and of expandable segments the
whole pages in free blocks; private pools keep theirs until their last user is gone.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dstop.model.segment import INACTIVE
from dstop.model.study import Fragmentation, FreeRow, Pin
from dstop.model.value import Value
from dstop.snapshot.values import SHARED_POOL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dstop.model.study import Failure
    from dstop.snapshot.study import DeviceStudy
    from dstop.snapshot.values import Block, Segment

SMALL_BYTES = 1 << 20
"""Requests up to it are of the small pool (`kSmallSize`)."""
PAGE_BYTES = {True: 2 << 20, False: 20 << 20}
"""What expandable segments are mapped by, in the small pool and in the large one (`kSmallBuffer`, `kLargeBuffer`)."""
MOSTLY = 0.5
"""From this share of it on, a segment is mostly free."""
MOST_PINS = 200
_SITES_A_SEGMENT = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class _Held(Value):
    """A segment, or a page of an expandable one, that is mostly free and yet in use."""

    total_bytes: int
    free_bytes: int
    blocks: tuple[Block, ...]
    """Those in use."""


def fragmentation_of(study: DeviceStudy, failure: Failure | None = None) -> Fragmentation:
    """Say what the free memory is good for when the snapshot was taken.

    Args:
        study: of one device; its categories say what the blocks in the way are for.
        failure: whose request the largest hole is for; without one it is for a large request on the stream that has
            most.
    """
    segments = study.snapshot.segments_of(study.device)
    rows = _rows(segments, _oversize(study, failure))
    reserved = sum(row.reserved_bytes for row in rows)
    free = sum(row.free_bytes for row in rows)
    reclaimable = sum(row.whole_segments_bytes for row in rows)
    return Fragmentation(
        reserved_bytes=reserved,
        active_bytes=sum(row.active_bytes for row in rows),
        free_bytes=free,
        reclaimable_bytes=reclaimable,
        split_bytes=free - reclaimable,
        largest_hole_bytes=_hole_for(rows, failure),
        rows=rows,
        pins=_pins(study, segments),
    )


def free_pages_bytes(segment: Segment) -> int:
    """Give what a flush would take from a segment: all of it, its whole free pages, or nothing.

    Pages of an expandable segment are counted from its address: what is mapped begins and ends with a page.
    """
    if segment.pool != SHARED_POOL:
        return 0
    free = [block for block in segment.blocks if block.state == INACTIVE]
    if len(free) == len(segment.blocks) and not segment.active_bytes:
        return segment.total_bytes
    if not segment.expandable:
        return 0
    page = PAGE_BYTES[segment.small]
    given = 0
    for block in free:
        first = -(-(block.address - segment.address) // page)
        after = (block.address + block.size_bytes - segment.address) // page
        given += max(0, after - first) * page
    return given


def _oversize(study: DeviceStudy, failure: Failure | None) -> int | None:
    """Give the size from which on a block is kept for requests as large as itself: `max_split_size_mb`."""
    limit = study.snapshot.settings.max_split_bytes if study.snapshot.settings is not None else None
    return limit if limit is not None and failure is not None and failure.request_bytes < limit else None


def _rows(segments: Sequence[Segment], oversize: int | None) -> tuple[FreeRow, ...]:
    together: dict[tuple[tuple[int, int], int, bool], list[Segment]] = defaultdict(list)
    for segment in segments:
        together[segment.pool, segment.stream, segment.small].append(segment)
    return tuple(_row(key, mine, oversize) for key, mine in sorted(together.items()))


def _row(
    key: tuple[tuple[int, int], int, bool], segments: Sequence[Segment], oversize: int | None
) -> FreeRow:
    holes = [block.size_bytes for segment in segments for block in segment.blocks if block.state == INACTIVE]
    reserved = sum(segment.total_bytes for segment in segments)
    active = sum(_active(segment) for segment in segments)
    return FreeRow(
        *key,
        reserved_bytes=reserved,
        active_bytes=active,
        free_bytes=reserved - active,
        largest_hole_bytes=max((size for size in holes if oversize is None or size < oversize), default=0),
        whole_segments_bytes=sum(map(free_pages_bytes, segments)),
    )


def _active(segment: Segment) -> int:
    """Count by the blocks; a segment that lists none (they may be left out of a snapshot) by what it says itself."""
    if not segment.blocks:
        return min(segment.active_bytes, segment.total_bytes)
    free = sum(block.size_bytes for block in segment.blocks if block.state == INACTIVE)
    return max(0, segment.total_bytes - free)


def _hole_for(rows: Sequence[FreeRow], failure: Failure | None) -> int:
    """Give the largest hole that an ordinary request may have: of everybody's pool, of its stream and its size."""
    mine = [row for row in rows if row.pool == SHARED_POOL]
    if failure is not None:
        small = failure.request_bytes <= SMALL_BYTES
        mine = [row for row in mine if row.stream == failure.stream and row.small == small]
    else:
        most = max(mine, key=lambda row: row.reserved_bytes, default=None)
        mine = [row for row in mine if most is not None and row.stream == most.stream and not row.small]
    return max((row.largest_hole_bytes for row in mine), default=0)


def _pins(study: DeviceStudy, segments: Sequence[Segment]) -> tuple[Pin, ...]:
    held = [each for segment in segments for each in _held(segment) if each.free_bytes]
    held.sort(key=lambda each: -each.free_bytes)
    rows_of = _rows_at_end(study) if held else {}
    pins: list[Pin] = []
    for each in held[:MOST_PINS]:
        rows = [rows_of[block.address] for block in each.blocks if block.address in rows_of]
        sites = study.sites(np.array(sorted(rows), np.int64), _SITES_A_SEGMENT)
        pins += [
            Pin(
                segment_bytes=each.total_bytes,
                free_bytes=each.free_bytes,
                block_bytes=site.size_bytes,
                site=site,
            )
            for site in sites
        ]
    return tuple(pins[:MOST_PINS])


def _rows_at_end(study: DeviceStudy) -> Mapping[int, int]:
    rows = np.flatnonzero(study.lives.end == study.events)
    return dict(zip(study.lives.address[rows].tolist(), rows.tolist(), strict=True))


def _held(segment: Segment) -> Iterator[_Held]:
    """Give the segment, or each of its pages, where it is mostly free and a block is in the way."""
    used = tuple(block for block in segment.blocks if block.state != INACTIVE)
    if not used:
        return
    if not segment.expandable:
        free = segment.total_bytes - _active(segment)
        if free >= MOSTLY * segment.total_bytes:
            yield _Held(total_bytes=segment.total_bytes, free_bytes=free, blocks=used)
        return
    page = PAGE_BYTES[segment.small]
    pages: dict[int, list[tuple[Block, int]]] = defaultdict(list)
    for block in used:
        begin, end = block.address - segment.address, block.address - segment.address + block.size_bytes
        first, last = begin // page, max(begin, end - 1) // page
        # Only the first and the last page of a block can be mostly free.
        for at in {first, last}:
            pages[at].append((block, min(end, (at + 1) * page) - max(begin, at * page)))
    for _, parts in sorted(pages.items()):
        free = page - sum(count for _, count in parts)
        if free >= MOSTLY * page:
            yield _Held(total_bytes=page, free_bytes=free, blocks=tuple(block for block, _ in parts))

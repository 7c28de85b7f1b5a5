"""What the allocator held before the first event of a ring: segments and blocks, counted back from the end.

The end is known from the segments of the snapshot; each segment event is undone, last first. A block that was freed in
the ring is known by its request alone, so what it had beyond that is inferred: torch never leaves a free piece of 1 MiB
or less in the large pool (`should_split`), so such a gap belongs to the block before it.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dstop.model.value import Value
from dstop.snapshot.lives import BEFORE
from dstop.snapshot.replay.ranges import Ranges
from dstop.snapshot.replay.rules import LARGE_BUFFER, SMALL_BUFFER, SMALL_SIZE, Rules, round_size
from dstop.snapshot.values import SHARED_POOL, Action

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dstop.snapshot.lives import Lives
    from dstop.snapshot.study import DeviceStudy
    from dstop.snapshot.values import Trace


class Held(NamedTuple):
    """A segment, or a contiguous mapped range of an expandable one."""

    address: int
    size: int
    stream: int
    pool: tuple[int, int]
    small: bool
    expandable: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Begin(Value):
    """The past: what was reserved, and the lives that are older than the ring, each with its block's true size."""

    held: tuple[Held, ...]
    """By address; no two overlap."""
    rows: NDArray[np.int64]
    """Of the lives, by address."""
    address: NDArray[np.int64]
    size: NDArray[np.int64]
    """Of the block of each row, in bytes."""
    reserved_bytes: int
    later: tuple[Held, ...] = ()
    """What is mapped into expandable segments in the ring, by address: they reach at least so far down."""


def begin_of(study: DeviceStudy, rules: Rules) -> Begin:
    """Count back to before the first event of one device."""
    lives, trace = study.lives, study.snapshot.trace_of(study.device)
    rows = np.flatnonzero(lives.begin == BEFORE)
    rows = rows[np.argsort(lives.address[rows], kind="stable")]
    address, size = lives.address[rows], lives.size[rows].copy()
    gone = lives.end[rows] < lives.events
    size[gone] = [round_size(request, rules) for request in lives.requested[rows[gone]].tolist()]
    held = _held(study, trace, address, size)
    begin = Begin(
        held=held,
        rows=rows,
        address=address,
        size=size,
        reserved_bytes=sum(each.size for each in held),
        later=_later(trace),
    )
    return _stretch(begin, lives, rules)


def _held(
    study: DeviceStudy, trace: Trace | None, address: NDArray[np.int64], size: NDArray[np.int64]
) -> tuple[Held, ...]:
    past = _Past(study)
    if trace is not None:
        changes = (trace.action >= Action.SEGMENT_ALLOC) & (trace.action <= Action.SEGMENT_UNMAP)
        for at in np.flatnonzero(changes)[::-1].tolist():
            past.undo(trace, at)
    known = sorted(past.known)
    ranges = [_range(start, end, known, address, size) for start, end in past.mapped]
    return _apart(sorted([*past.plain.values(), *ranges]))


def _later(trace: Trace | None) -> tuple[Held, ...]:
    """Give what is mapped in the ring; which pool it is for, only its size tells."""
    if trace is None:
        return ()
    at = np.flatnonzero(trace.action == Action.SEGMENT_MAP)
    columns = (trace.address[at].tolist(), trace.size[at].tolist(), trace.stream[at].tolist())
    return tuple(
        sorted(
            Held(address, size, stream, SHARED_POOL, bool(size % LARGE_BUFFER), expandable=True)
            for address, size, stream in zip(*columns, strict=True)
        )
    )


class _Past:
    """The segments, from the end of the ring backwards."""

    def __init__(self, study: DeviceStudy) -> None:
        self.pools = study.snapshot.pools
        self.plain: dict[int, Held] = {}
        self.mapped = Ranges()
        self.known: list[Held] = []
        """Whose expandable ranges are, where that was said."""
        for each in study.snapshot.segments_of(study.device):
            held = Held(each.address, each.total_bytes, each.stream, each.pool, each.small, each.expandable)
            if each.expandable:
                self.mapped.add(each.address, each.address + each.total_bytes)
                self.known.append(held)
            else:
                self.plain[each.address] = held

    def undo(self, trace: Trace, at: int) -> None:
        """Undo one segment event."""
        action, address, size = int(trace.action[at]), int(trace.address[at]), int(trace.size[at])
        stream, number = int(trace.stream[at]), int(trace.pool[at])
        pool = self.pools[number] if number >= 0 else SHARED_POOL
        if action == Action.SEGMENT_ALLOC:
            self.plain.pop(address, None)
        elif action == Action.SEGMENT_FREE:
            self.plain[address] = Held(address, size, stream, pool, size <= SMALL_BUFFER, expandable=False)
        elif action == Action.SEGMENT_MAP:
            self.mapped.remove(address, address + size)
        else:
            self.mapped.add(address, address + size)
            self.known.append(Held(address, size, stream, pool, bool(size % LARGE_BUFFER), expandable=True))


def _range(
    start: int, end: int, known: list[Held], address: NDArray[np.int64], size: NDArray[np.int64]
) -> Held:
    """Say whose a mapped range was: of a range that is there at the end, else of who unmapped it and what lay in it."""
    at = bisect_left(known, (end,)) - 1
    owner = known[at] if at >= 0 and known[at].address + known[at].size > start else None
    inside = size[slice(*np.searchsorted(address, [start, end]).tolist())]
    small = owner is not None and owner.small
    if len(inside):
        small = bool(inside.max() <= SMALL_SIZE)
    stream, pool = (0, SHARED_POOL) if owner is None else (owner.stream, owner.pool)
    return Held(start, end - start, stream, pool, small, expandable=True)


def _apart(held: list[Held]) -> tuple[Held, ...]:
    """Leave out what overlaps: a file may say anything."""
    kept: list[Held] = []
    for each in held:
        if each.size > 0 and (not kept or each.address >= kept[-1].address + kept[-1].size):
            kept.append(each)
    return tuple(kept)


def _stretch(begin: Begin, lives: Lives, rules: Rules) -> Begin:
    """Give blocks of the large pool what was not split off them.

    Where the gap is larger, part of it may still be the block's: the next block that is put there tells.
    """
    if rules.expandable or not len(begin.rows):
        return begin
    address, size = begin.address, begin.size.copy()
    asked = np.flatnonzero(lives.begin >= 0)
    asked = asked[np.argsort(lives.address[asked], kind="stable")]
    placed, ends = lives.address[asked], lives.end[begin.rows]
    for each in begin.held:
        if each.small or each.expandable:
            continue
        first, last = np.searchsorted(address, [each.address, each.address + each.size]).tolist()
        for at in range(first, last):
            until = int(address[at + 1]) if at + 1 < last else each.address + each.size
            end = int(address[at] + size[at])
            if ends[at] >= lives.events or until <= end:
                continue
            oversize = rules.max_split_bytes is not None and size[at] >= rules.max_split_bytes
            most = rules.max_rounding_bytes if oversize else SMALL_SIZE
            if until - end > most:
                near = asked[slice(*np.searchsorted(placed, [end, min(until, end + most)]).tolist())]
                near = near[lives.begin[near] < ends[at]]
                until = int(lives.address[near[np.argmin(lives.begin[near])]]) if len(near) else end
            size[at] = until - int(address[at])
    return replace(begin, size=size)

"""What was allocated when: one row a life, from the event that handed a block out to the one that took it back.

The ring may begin in the middle: what is freed in it without having been handed out in it is older than the ring, and
so is what is live at the end and was not handed out in it (the static part: weights, optimizer state). A block's
address is reused, so a life is an address and its turn. Turns never overlap: where recording was off for a while, a
life whose `alloc` is missing begins when the one before it ended, at the earliest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dstop.model.segment import INACTIVE
from dstop.model.value import Value
from dstop.snapshot.values import Action

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dstop.snapshot.values import Snapshot, Trace

BEFORE = -1
"""The `begin` of what is older than the ring."""
BLOCK_BYTES = 512
"""Sizes are rounded up to it: `kMinBlockSize` of CUDACachingAllocator.cpp."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Lives(Value):
    """Arrays of one length, one row a life, by `begin`; those older than the ring come first, by address."""

    device: int
    events: int
    """How many the ring has; times below are positions in it, and `events` means: not within the ring."""
    address: NDArray[np.int64]
    size: NDArray[np.int64]
    """Of the block where the snapshot shows it, otherwise the request rounded up to 512, in bytes."""
    requested: NDArray[np.int64]
    """Before rounding, in bytes; the same as `size` where torch does not say."""
    begin: NDArray[np.int64]
    """The position of the event that handed it out, or after which that went unseen; -1: older than the ring."""
    freed: NDArray[np.int64]
    """The position of `free_requested`; `events` where there is none: it is still held at the end."""
    end: NDArray[np.int64]
    """The position of `free_completed`; `events` where there is none."""
    stack: NDArray[np.int32]
    """Who asked for it: from its `alloc`, or from the block at the end; 0 where neither says."""
    stream: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.address)


def lives_of(snapshot: Snapshot, device: int) -> Lives:
    """Pair what was handed out with what was taken back, on one device."""
    trace = snapshot.trace_of(device)
    paired = _paired(trace) if trace is not None and len(trace) else _nothing()
    return _with_blocks(paired, snapshot, device, 0 if trace is None else len(trace))


_Columns = dict[str, "NDArray[np.int64]"]
_NAMES = ("address", "size", "requested", "begin", "freed", "end", "stack", "stream")


def _nothing() -> _Columns:
    return {name: np.empty(0, np.int64) for name in _NAMES}


def _paired(trace: Trace) -> _Columns:
    """Sort the events of an address together; a life is one run: alloc, free_requested, free_completed."""
    count = len(trace)
    at = np.flatnonzero(trace.action <= Action.FREE_COMPLETED)
    at = at[np.argsort(trace.address[at], kind="stable")]
    action, address = trace.action[at], trace.address[at]
    if not len(at):
        return _nothing()
    # A run begins with an alloc, with another address, or after a completed free (whose next event must be older than
    # the ring's beginning, or else its alloc was lost).
    starts = np.ones(len(at), bool)
    starts[1:] = (
        (action[1:] == Action.ALLOC) | (address[1:] != address[:-1]) | (action[:-1] == Action.FREE_COMPLETED)
    )
    life = np.cumsum(starts) - 1
    first = at[starts]
    lives = len(first)
    has_alloc = trace.action[first] == Action.ALLOC
    freed = np.full(lives, count, np.int64)
    end = np.full(lives, count, np.int64)
    asked, done = action == Action.FREE_REQUESTED, action == Action.FREE_COMPLETED
    freed[life[asked]] = at[asked]
    end[life[done]] = at[done]
    # A second alloc of the address proves that the first life is over, also where its free was lost.
    followed = np.flatnonzero(trace.address[first[1:]] == trace.address[first[:-1]])
    end[followed] = np.minimum(end[followed], first[followed + 1])
    freed = np.minimum(freed, end)
    begin = np.where(has_alloc, first, BEFORE)
    unseen = followed[~has_alloc[followed + 1]] + 1
    begin[unseen] = end[unseen - 1]
    requested = trace.size[first].astype(np.int64)
    return {
        "address": trace.address[first],
        "size": -(-requested // BLOCK_BYTES) * BLOCK_BYTES,
        "requested": requested,
        "begin": begin,
        "freed": freed,
        "end": end,
        "stack": np.where(has_alloc, trace.stack[first], 0),
        "stream": trace.stream[first],
    }


def _with_blocks(paired: _Columns, snapshot: Snapshot, device: int, events: int) -> Lives:
    """Give the lives that reach the end the sizes of their blocks, and add the blocks the ring knows nothing of."""
    blocks = _used_blocks(snapshot, device)
    # The last turn of the block's address, if there was any: rows are by address, and then by time.
    last = np.searchsorted(paired["address"], blocks["address"], side="right") - 1
    known = (
        (last >= 0) & (paired["address"][last] == blocks["address"]) if len(paired["address"]) else last >= 0
    )
    blocks["begin"][known] = paired["end"][last[known]]
    open_ = known & (blocks["begin"] == events)
    rows = last[open_]
    paired["size"][rows] = blocks["size"][open_]
    paired["stack"][rows] = np.where(
        paired["stack"][rows] == 0, blocks["stack"][open_], paired["stack"][rows]
    )
    columns = {name: np.concatenate([paired[name], blocks[name][~open_]]) for name in _NAMES}
    old = np.flatnonzero(columns["begin"] == BEFORE)
    young = np.flatnonzero(columns["begin"] != BEFORE)
    order = np.concatenate(
        [
            old[np.argsort(columns["address"][old], kind="stable")],
            young[np.argsort(columns["begin"][young], kind="stable")],
        ]
    )
    columns = {name: column[order] for name, column in columns.items()}
    stack = columns.pop("stack").astype(np.int32)
    return Lives(device=device, events=events, stack=stack, **columns)


def _used_blocks(snapshot: Snapshot, device: int) -> _Columns:
    """Give the blocks that are in use at the end, as lives older than the ring."""
    trace = snapshot.trace_of(device)
    events = 0 if trace is None else len(trace)
    rows = [
        (
            block.address,
            block.size_bytes,
            block.size_bytes if block.requested_bytes is None else block.requested_bytes,
            BEFORE,
            events,
            events,
            block.stack,
            segment.stream,
        )
        for segment in snapshot.segments_of(device)
        for block in segment.blocks
        if block.state != INACTIVE
    ]
    table = np.array(rows, np.int64).reshape(-1, len(_NAMES))
    return {name: table[:, column].copy() for column, name in enumerate(_NAMES)}

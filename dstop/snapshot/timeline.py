"""Bytes over time, and the moment when most were live."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dstop.snapshot.values import Action

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dstop.snapshot.lives import Lives
    from dstop.snapshot.values import Snapshot


_MOST_BYTES = 1 << 62
"""No file's claims may add up to more than an array holds."""


def live_bytes(lives: Lives) -> NDArray[np.int64]:
    """Give the bytes that are live after each event; index 0 is before the first one, so there is one more than events.

    Sum over lives of size, from `begin` until `end`: what `memory_allocated()` said then, except that a block of the
    past may have been larger than its rounded request by less than 1 MiB (an unsplit remainder).
    """
    change = np.zeros(lives.events + 2, np.int64)
    np.add.at(change, lives.begin + 1, lives.size)
    np.subtract.at(change, lives.end + 1, lives.size)
    return np.cumsum(change[: lives.events + 1])


def reserved_bytes(snapshot: Snapshot, device: int) -> NDArray[np.int64]:
    """Give what the allocator had from the driver after each event, index 0 before the first; from its segment events.

    The end is known from the segments, so the past is counted back from there.
    """
    held = min(sum(segment.total_bytes for segment in snapshot.segments_of(device)), _MOST_BYTES)
    trace = snapshot.trace_of(device)
    if trace is None:
        return np.array([held], np.int64)
    sign = np.zeros(16, np.int64)
    sign[[Action.SEGMENT_ALLOC, Action.SEGMENT_MAP]] = 1
    sign[[Action.SEGMENT_FREE, Action.SEGMENT_UNMAP]] = -1
    grown = np.concatenate([[0], np.cumsum(sign[trace.action] * trace.size)])
    before = held - int(grown[-1])
    return np.asarray(before + grown, np.int64)


def peak_event(live: NDArray[np.int64]) -> int:
    """Give the position in `live_bytes` where most is live, the first of them."""
    return int(np.argmax(live))


def alive_at(lives: Lives, moment: int) -> NDArray[np.int64]:
    """Give the rows of the lives that are live at a position of `live_bytes` (so after `moment` events)."""
    return np.flatnonzero((lives.begin < moment) & (lives.end >= moment))

"""Who gave memory back to the driver: the program, with `empty_cache()`, or the allocator within a request.

What the allocator gives back by itself, because the driver had no more or the garbage collector is on, happens within
a request: a new segment or a failure follows at once. Where the program did it just before such a request, its stack
says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dstop.snapshot.values import Action

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dstop.snapshot.study import DeviceStudy

_ASKING = (Action.SEGMENT_ALLOC, Action.SEGMENT_MAP, Action.OOM)


def emptied(study: DeviceStudy) -> NDArray[np.int64]:
    """Give the events at which the program began to give back what is cached."""
    starts, _, within = _batches(study)
    return starts[~within]


def within_requests(study: DeviceStudy) -> NDArray[np.int64]:
    """Give the last events of what the allocator gave back within a request."""
    _, ends, within = _batches(study)
    return ends[within]


def _batches(study: DeviceStudy) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Give the first and last event of each batch, and whether it was within a request."""
    trace = study.snapshot.trace_of(study.device)
    if trace is None or not len(trace):
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, bool)
    given = np.isin(trace.action, (Action.SEGMENT_FREE, Action.SEGMENT_UNMAP))
    starts = np.flatnonzero(given & ~np.concatenate([[False], given[:-1]]))
    ends = np.flatnonzero(given & ~np.concatenate([given[1:], [False]]))
    follows = np.append(trace.action, Action.SNAPSHOT)[ends + 1]
    emptying = [
        number
        for number in np.unique(trace.stack[starts]).tolist()
        if any(place.function == "empty_cache" for place in study.snapshot.stacks[number])
    ]
    return starts, ends, np.isin(follows, _ASKING) & ~np.isin(trace.stack[starts], emptying)

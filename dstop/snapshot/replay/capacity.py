"""What a process may reserve at most, as far as its recording shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dstop.snapshot.replay.giving import within_requests
from dstop.snapshot.replay.rules import Rules, page_size, segment_size
from dstop.snapshot.values import Action
from dstop.units import GIB, MIB

if TYPE_CHECKING:
    from dstop.snapshot.study import DeviceStudy

_BESIDES = 256 * MIB
"""A context takes at least about this much of a device besides what the allocator reserves."""


class Capacity(NamedTuple):
    """A limit, and how it is known."""

    size_bytes: int | None
    """None where the recording never met it."""
    how: str
    collects_bytes: int | None = None
    """From how much reserved on the garbage collector works; None where it did not, or is off."""


def capacity_of(study: DeviceStudy, rules: Rules) -> Capacity:
    """Read off a recording how much the allocator could reserve.

    At a failure the driver says what it has left: reserved + free. Where that would have sufficed, the process had a
    limit of its own (`set_per_process_memory_fraction`). Where the allocator gave back everything cached within a
    request that then succeeded, it had met the limit just before, so the most that it ever held is close to it.
    """
    most = int(study.reserved.max())
    limits = []
    for failure in study.failures:
        free = max(0, failure.device_free_bytes)
        small = failure.request_bytes <= MIB
        need = (
            failure.request_bytes + page_size(rules, small=small)
            if rules.expandable
            else segment_size(failure.request_bytes, rules)
        )
        if free < need:
            limits.append(failure.reserved_bytes + free)
    if limits:
        return Capacity(
            max(most, limits[-1]), "what was reserved and what the driver had left when a request failed"
        )
    if study.failures:
        return Capacity(
            most, "the most that was ever reserved: requests failed though the driver had memory left"
        )
    if len(within_requests(study)) and not rules.gc_threshold:
        return Capacity(
            most, "the most that was ever reserved: the allocator met its limit there and gave back its cache"
        )
    collects = _collects(study) if rules.gc_threshold else None
    return Capacity(None, "the recording never met a limit", collects)


def _collects(study: DeviceStudy) -> int | None:
    """Give the least that was reserved when the allocator gave something back within a request."""
    ends = within_requests(study)
    trace = study.snapshot.trace_of(study.device)
    if trace is None or not len(ends):
        return None
    given = (trace.action == Action.SEGMENT_FREE) | (trace.action == Action.SEGMENT_UNMAP)
    others = np.flatnonzero(~given)
    before = np.searchsorted(others, ends) - 1
    starts = np.where(before >= 0, others[np.maximum(before, 0)] + 1, 0)
    return int(study.reserved[starts].min())


def device_bytes(capacity: Capacity) -> int | None:
    """Guess the size of the device: the next whole GiB that has room for a context too; None where nothing is known."""
    if capacity.size_bytes is None:
        return None
    return -(-(capacity.size_bytes + _BESIDES) // GIB) * GIB

"""A recording as changes in time: what a trace viewer wants, which knows microseconds and not positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dstop.model.study import CATEGORIES
from dstop.snapshot.values import Action

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from dstop.snapshot.study import DeviceStudy

_CHUNK = 50_000
_SHOWN = np.zeros(16, bool)
_SHOWN[[Action.SEGMENT_ALLOC, Action.SEGMENT_FREE, Action.SEGMENT_MAP, Action.SEGMENT_UNMAP]] = True
_SHOWN[[Action.OOM, Action.SNAPSHOT, Action.ANNOTATE]] = True


class Span(NamedTuple):
    """A life in time."""

    row: int
    begin_us: int
    end_us: int
    """Of what is live at the end, the end of the recording."""
    size_bytes: int
    requested_bytes: int
    category: str
    stack: int
    older: bool
    """It was there when the recording began."""
    name: str


class Instant(NamedTuple):
    """An event that is no allocation."""

    time_us: int
    action: Action
    address: int
    size_bytes: int
    stack: int
    note: int


def first_time_us(studies: Sequence[DeviceStudy]) -> int | None:
    """Give the earliest wall clock of all devices; None where torch told none (before 2.1)."""
    times = [
        trace.time_us for study in studies if (trace := study.snapshot.trace_of(study.device)) is not None
    ]
    told = [int(each[each > 0].min()) for each in times if (each > 0).any()]
    return min(told, default=None)


def clock(study: DeviceStudy, first_us: int | None) -> NDArray[np.int64]:
    """Give the time of each position, in microseconds from the first; it never goes back.

    Without times, and in a ring that has none, an event is a microsecond.
    """
    trace = study.snapshot.trace_of(study.device)
    if trace is None or first_us is None or not (trace.time_us > 0).any():
        return np.arange(study.events + 1, dtype=np.int64)
    since = np.maximum.accumulate(np.maximum(trace.time_us - first_us, 0))
    return np.concatenate([since[:1], since])


def counters(study: DeviceStudy, ticks: NDArray[np.int64]) -> Iterator[tuple[str, Iterator[tuple[int, int]]]]:
    """Give live, reserved and every category that has anything, each with its changes as (microsecond, bytes)."""
    yield "live", _changes(study.live, ticks)
    yield "reserved", _changes(np.maximum(study.reserved, 0), ticks)
    for number, name in enumerate(CATEGORIES):
        rows = np.flatnonzero(study.attribution.category == number)
        if len(rows):
            yield name, _changes(_bytes_of(study, rows), ticks)


def _bytes_of(study: DeviceStudy, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    change = np.zeros(study.events + 2, np.int64)
    np.add.at(change, study.lives.begin[rows] + 1, study.lives.size[rows])
    np.subtract.at(change, study.lives.end[rows] + 1, study.lives.size[rows])
    return np.cumsum(change[: study.events + 1])


def _changes(values: NDArray[np.int64], ticks: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Give what a microsecond ends with, and before it the highest that it had: no peak falls between two ticks."""
    starts = np.flatnonzero(np.concatenate([[True], ticks[1:] != ticks[:-1]]))
    highest = np.maximum.reduceat(values, starts)
    last = values[np.append(starts[1:], len(values)) - 1]
    pairs = np.stack([highest, last], axis=1).ravel()
    kept = np.ones(len(pairs), bool)
    kept[1:] = pairs[1:] != pairs[:-1]
    chosen = np.flatnonzero(kept)
    for at in range(0, len(chosen), _CHUNK):
        part = chosen[at : at + _CHUNK]
        yield from zip(ticks[starts[part // 2]].tolist(), pairs[part].tolist(), strict=True)


def largest_spans(study: DeviceStudy, ticks: NDArray[np.int64], most: int) -> tuple[int, tuple[Span, ...]]:
    """Give the largest lives, by their begin, and the size in bytes from which on a life is among them.

    Where more have that very size than there is room for, the first of them are given.
    """
    lives, told = study.lives, study.attribution
    order = np.argsort(-lives.size, kind="stable")[:most]
    if not len(order):
        return 0, ()
    rows = np.sort(order)
    begin, end = ticks[lives.begin[rows] + 1], ticks[np.minimum(lives.end[rows] + 1, study.events)]
    numbers = (
        rows,
        begin,
        end,
        lives.size[rows],
        lives.requested[rows],
        told.category[rows],
        lives.stack[rows],
    )
    older = lives.begin[rows] < 0
    spans = tuple(
        Span(row, start, stop, size, asked, CATEGORIES[category], stack, old, told.names.get(row, ""))
        for row, start, stop, size, asked, category, stack, old in zip(
            *(column.tolist() for column in numbers), older.tolist(), strict=True
        )
    )
    return int(lives.size[order[-1]]), spans


def instants(study: DeviceStudy, ticks: NDArray[np.int64]) -> Iterator[Instant]:
    """Give the segment events, failures, snapshots and marks of the ring, oldest first."""
    trace = study.snapshot.trace_of(study.device)
    if trace is None:
        return
    rows = np.flatnonzero(_SHOWN[trace.action])
    for at in range(0, len(rows), _CHUNK):
        part = rows[at : at + _CHUNK]
        columns = (trace.address, trace.size, trace.stack, trace.note)
        told = zip(
            ticks[part + 1].tolist(),
            trace.action[part].tolist(),
            *(each[part].tolist() for each in columns),
            strict=True,
        )
        for time, action, *rest in told:
            yield Instant(time, Action(action), *rest)

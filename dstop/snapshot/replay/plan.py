"""A recording as requests: what was asked for when, on which stream and from which pool, and when it came back.

One row a life (`Lives`), so a replay may leave rows out, give them other sizes, or end them earlier.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dstop.model.value import Value
from dstop.snapshot.replay.begin import Begin, begin_of
from dstop.snapshot.replay.giving import emptied
from dstop.snapshot.replay.rules import Rules, rules_of
from dstop.snapshot.values import SHARED_POOL, Action

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dstop.snapshot.study import DeviceStudy
    from dstop.snapshot.values import Trace

FREE, PEND, FLUSH, ASK, FAIL = range(5)
"""What an operation does: give a row back; its tensor is gone but other streams may use it still; `empty_cache()`; ask
for a row; ask for what failed (a number of `failing`). At one event they come in this order.
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Plan(Value):
    """What a replay is to do."""

    rules: Rules
    """Those of the recording."""
    begin: Begin
    event: NDArray[np.int64]
    """Of each operation, rising."""
    what: NDArray[np.int8]
    row: NDArray[np.int64]
    """Into the lives; of `FAIL` into `failing`."""
    requested: NDArray[np.int64]
    """Of each life, in bytes."""
    stream: NDArray[np.int64]
    pool: tuple[tuple[int, int], ...] | None
    """Of each life; None where all are everybody's."""
    falling: bool = False
    """Whether the driver usually put new segments below older ones."""
    ages: tuple[int, ...] = ()
    """The addresses of the segments that are older than the ring, the oldest first; those missing here come after."""
    kept_pools: frozenset[tuple[int, int]] = frozenset()
    """Private pools that never gave anything back: their graphs were in use."""
    failing: tuple[tuple[int, int], ...] = ()
    """(bytes, stream) of the requests that failed."""

    def resized(self, requested: NDArray[np.int64], failing: tuple[tuple[int, int], ...]) -> Plan:
        """Give the same with other sizes."""
        return replace(self, requested=requested, failing=failing)

    def copied(self, rows: list[int]) -> Plan:
        """Give the same with more rows, which are as these are."""
        return replace(
            self,
            requested=np.concatenate([self.requested, self.requested[rows]]) if rows else self.requested,
            stream=np.concatenate([self.stream, self.stream[rows]]) if rows else self.stream,
            pool=None if self.pool is None else (*self.pool, *(self.pool[row] for row in rows)),
        )

    def with_operations(
        self,
        event: NDArray[np.int64],
        what: NDArray[np.int8],
        row: NDArray[np.int64],
        turn: NDArray[np.int64] | None = None,
    ) -> Plan:
        """Give the same with other operations, put in order: by event, at one event by turn, then by what they do."""
        turn = np.zeros(len(event), np.int64) if turn is None else turn
        order = np.lexsort((row, what, turn, event))
        return replace(self, event=event[order], what=what[order], row=row[order])


def plan_of(study: DeviceStudy) -> Plan:
    """Make the plan of one device's recording."""
    lives, snapshot = study.lives, study.snapshot
    rules = rules_of(snapshot.settings)
    trace = snapshot.trace_of(study.device)
    pools = _pools(study, trace)
    asked, ended = np.flatnonzero(lives.begin >= 0), np.flatnonzero(lives.end < lives.events)
    pending = np.flatnonzero(lives.freed + 1 < lives.end)
    failures, empties = study.failures, emptied(study)
    operations = (
        (FREE, lives.end[ended], ended),
        (PEND, lives.freed[pending], pending),
        (FLUSH, empties, np.zeros(len(empties), np.int64)),
        (ASK, lives.begin[asked], asked),
        (FAIL, np.array([each.event for each in failures], np.int64), np.arange(len(failures))),
    )
    plan = Plan(
        rules=rules,
        begin=begin_of(study, rules),
        event=np.empty(0, np.int64),
        what=np.empty(0, np.int8),
        row=np.empty(0, np.int64),
        requested=lives.requested,
        stream=lives.stream,
        pool=pools,
        falling=_falling(trace),
        kept_pools=_kept(study, trace, pools),
        failing=tuple((each.request_bytes, each.stream) for each in failures),
    )
    return plan.with_operations(
        np.concatenate([event for _, event, _ in operations]),
        np.concatenate([np.full(len(event), what, np.int8) for what, event, _ in operations]),
        np.concatenate([row for *_, row in operations]).astype(np.int64),
    )


def _pools(study: DeviceStudy, trace: Trace | None) -> tuple[tuple[int, int], ...] | None:
    """Give the pool of each life: from its event (2.12), else from the segment that it lies in."""
    lives, snapshot = study.lives, study.snapshot
    segments = snapshot.segments_of(study.device)
    if trace is None or not len(trace):
        told = np.full(len(lives), -1)
    else:
        at = np.where(lives.begin >= 0, lives.begin, np.minimum(lives.end, len(trace) - 1))
        told = np.where((lives.begin >= 0) | (lives.end < lives.events), trace.pool[at], -1)
    private = any(each.pool != SHARED_POOL for each in segments)
    if not private and not any(
        snapshot.pools[number] != SHARED_POOL for number in np.unique(told[told >= 0])
    ):
        return None
    starts = [each.address for each in segments]
    made = []
    for number, address in zip(told.tolist(), lives.address.tolist(), strict=True):
        if number >= 0:
            made.append(snapshot.pools[number])
            continue
        at_segment = bisect_right(starts, address) - 1
        inside = at_segment >= 0 and address < starts[at_segment] + segments[at_segment].total_bytes
        made.append(segments[at_segment].pool if inside else SHARED_POOL)
    return tuple(made)


def _falling(trace: Trace | None) -> bool:
    if trace is None:
        return False
    placed = trace.address[trace.action == Action.SEGMENT_ALLOC]
    return bool((placed[1:] < placed[:-1]).sum() * 2 > max(len(placed) - 1, 0))


def _kept(
    study: DeviceStudy, trace: Trace | None, pools: tuple[tuple[int, int], ...] | None
) -> frozenset[tuple[int, int]]:
    if pools is None:
        return frozenset()
    private = {*pools, *(each.pool for each in study.snapshot.segments_of(study.device))} - {SHARED_POOL}
    if trace is not None:
        given = np.isin(trace.action, (Action.SEGMENT_FREE, Action.SEGMENT_UNMAP)) & (trace.pool >= 0)
        private -= {study.snapshot.pools[number] for number in np.unique(trace.pool[given]).tolist()}
    return frozenset(private)

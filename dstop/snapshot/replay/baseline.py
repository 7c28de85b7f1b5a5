"""The recording replayed under its own rules, and held against what was recorded: what the model is worth.

What the program gave back, and what the driver's fullness or the garbage collector made the allocator give back, is
followed as it was recorded. Everything else, and so every segment that is made, is the model's own decision.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import numpy as np

from dstop.model.study import Fidelity
from dstop.model.value import Value
from dstop.snapshot.replay.capacity import Capacity, capacity_of, device_bytes
from dstop.snapshot.replay.expandable import unmap
from dstop.snapshot.replay.furnish import as_it_was
from dstop.snapshot.replay.model import SHARED, Allocator
from dstop.snapshot.replay.plan import ASK, FREE, Plan, plan_of
from dstop.snapshot.values import Action

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dstop.snapshot.replay.blocks import Block
    from dstop.snapshot.study import DeviceStudy
    from dstop.snapshot.values import Trace


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Compared(Value):
    """The reserved bytes at each segment event, one row an event."""

    event: NDArray[np.int64]
    recorded: NDArray[np.int64]
    modelled: NDArray[np.int64]
    requests: int
    elsewhere: int
    """How many blocks the model put at another address than the allocator did."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Replayed(Value):
    """A recording, ready to be replayed under other conditions."""

    plan: Plan
    """With the order of equal blocks settled."""
    capacity: Capacity
    fidelity: Fidelity


def fidelity_of(study: DeviceStudy) -> Fidelity:
    """Replay a recording under its own rules, and say how far the reserved bytes are off at its segment events."""
    return study.replayed.fidelity


def replay(study: DeviceStudy) -> Replayed:
    """Replay a recording under its own rules; what is slow about it, `DeviceStudy.replayed` remembers."""
    plan = plan_of(study)
    capacity = capacity_of(study, plan.rules)
    if not study.events:
        return Replayed(plan=plan, capacity=capacity, fidelity=_nothing("no events were recorded"))
    if not (plan.what >= ASK).any():
        return Replayed(plan=plan, capacity=capacity, fidelity=_nothing("no request was recorded"))
    plan, compared = settled(study, plan)
    error = np.abs(compared.modelled - compared.recorded) / np.maximum(compared.recorded, 1)
    fidelity = Fidelity(
        requests=compared.requests,
        segment_events=len(error),
        worst_error=float(error.max()) if len(error) else 0.0,
        mean_error=float(error.mean()) if len(error) else 0.0,
    )
    return Replayed(plan=plan, capacity=capacity, fidelity=fidelity)


def _nothing(why: str) -> Fidelity:
    return Fidelity(requests=0, segment_events=0, worst_error=0.0, mean_error=0.0, why_not=why)


def settled(study: DeviceStudy, plan: Plan) -> tuple[Plan, Compared]:
    """Find out which of several equal free blocks this allocator takes, from where the recorded blocks really lie.

    Older versions take the one at the lowest address, newer ones that of the oldest segment; no snapshot names its
    version. How old the segments are that are older than the ring, shows which of them were preferred; between the
    others the driver's addresses tell, which usually go in one direction.
    """
    addresses = [each.address for each in plan.begin.held if not each.expandable]
    directions = ([True], [True, False])[bool(addresses)]
    tried: list[tuple[Plan, Compared]] = []
    for oldest_first, falling in [*((True, each) for each in directions), (False, False)]:
        rules = replace(plan.rules, oldest_first=oldest_first)
        ages = tuple(sorted(addresses, reverse=falling)) if oldest_first else ()
        candidate = replace(plan, rules=rules, ages=ages)
        if oldest_first and addresses:
            candidate = replace(candidate, ages=_ages(study, candidate))
        tried.append((candidate, compare(study, candidate)))
        if not tried[-1][1].elsewhere:
            return tried[-1]
    return min(tried, key=lambda each: each[1].elsewhere)


def _ages(study: DeviceStudy, plan: Plan) -> tuple[int, ...]:
    """Put the segments of the past in the order that the recorded choices between equal blocks demand."""
    ages = plan.ages
    runs = _Baseline(study, plan, _trace(study), following=True)
    runs.run()
    older: dict[int, set[int]] = {}
    for first, second in runs.allocator.preferred:
        if 1 <= first <= len(ages) and 1 <= second <= len(ages) and first != second:
            older.setdefault(second - 1, set()).add(first - 1)
    waits = {number: len(older.get(number, ())) for number in range(len(ages))}
    younger: dict[int, list[int]] = {}
    for number, before in older.items():
        for each in before:
            younger.setdefault(each, []).append(number)
    ready = [number for number in range(len(ages)) if not waits[number]]
    order: list[int] = []
    while ready:
        number = heappop(ready)
        order.append(number)
        for each in younger.get(number, ()):
            waits[each] -= 1
            if not waits[each]:
                heappush(ready, each)
    # Where a file contradicts itself, the rest stays as it was.
    placed = set(order)
    return tuple(
        ages[number] for number in [*order, *(each for each in range(len(ages)) if each not in placed)]
    )


def _trace(study: DeviceStudy) -> Trace:
    trace = study.snapshot.trace_of(study.device)
    if trace is None:
        raise ValueError("a recording without events is not replayed")
    return trace


def compare(study: DeviceStudy, plan: Plan) -> Compared:
    """Replay under the recorded rules.

    Within a request the driver is asked before the block is handed out, so a segment that was made is compared when
    its request is done.
    """
    return _Baseline(study, plan, _trace(study)).run()


class _Baseline:
    """One pass over a recording; `following`, it takes the recorded one of several equal free blocks."""

    def __init__(self, study: DeviceStudy, plan: Plan, trace: Trace, *, following: bool = False) -> None:
        self.plan, self.trace, self.following = plan, trace, following
        self.allocator = Allocator(plan.rules, device_bytes=device_bytes(capacity_of(study, plan.rules)))
        self.blocks: dict[int, Block] = as_it_was(self.allocator, plan)
        changes = (trace.action >= Action.SEGMENT_ALLOC) & (trace.action <= Action.SEGMENT_UNMAP)
        self.at = np.flatnonzero(changes)
        self.recorded = study.reserved[self.at + 1]
        self.modelled = np.zeros(len(self.at), np.int64)
        self.addresses = study.lives.address.tolist()
        self.elsewhere = 0
        self.done = 0
        """How many segment events have been told to the model."""
        self.open = 0
        """From which on they are not compared yet."""

    def run(self) -> Compared:
        plan, allocator, blocks = self.plan, self.allocator, self.blocks
        events = self.at.tolist()
        requested, stream, pool = plan.requested.tolist(), plan.stream.tolist(), plan.pool
        requests = 0
        columns = (plan.event.tolist(), plan.what.tolist(), plan.row.tolist())
        for event, what, row in zip(*columns, strict=True):
            if self.done < len(events) and events[self.done] < event:
                self._tell(events, event)
            if what == FREE:
                block = blocks.pop(row, None)
                if block is not None:
                    allocator.free(block)
            elif what == ASK:
                requests += 1
                if self.following:
                    allocator.prefer = self.addresses[row]
                block = allocator.malloc(requested[row], stream[row], SHARED if pool is None else pool[row])
                if block is None:
                    raise ValueError("a model without a capacity always has memory")
                blocks[row] = block
                self.elsewhere += block.address != self.addresses[row]
                if self.open < self.done:
                    self._compare(self.done)
                    allocator.driver.told.clear()
        self._tell(events, len(self.trace))
        self._compare(len(events))
        return Compared(
            event=self.at,
            recorded=self.recorded,
            modelled=self.modelled,
            requests=requests,
            elsewhere=self.elsewhere,
        )

    def _compare(self, until: int) -> None:
        """Within one request the last state counts for all its segment events."""
        self.recorded[self.open : until] = self.recorded[until - 1] if until else 0
        self.modelled[self.open : until] = self.allocator.reserved_bytes
        self.open = until

    def _tell(self, events: list[int], until: int) -> None:
        """Tell the model of segment events: where new segments are, and what was given back."""
        trace, allocator = self.trace, self.allocator
        while self.done < len(events) and events[self.done] < until:
            at = events[self.done]
            action, address, size = int(trace.action[at]), int(trace.address[at]), int(trace.size[at])
            self.done += 1
            if action in {Action.SEGMENT_ALLOC, Action.SEGMENT_MAP}:
                allocator.driver.told.append((size, address))
                continue
            if action == Action.SEGMENT_FREE:
                _give_back(allocator, address, size, int(trace.stream[at]))
            else:
                _unmap(allocator, address, size)
            if self.open == self.done - 1:
                self._compare(self.done)


def _give_back(allocator: Allocator, address: int, size: int, stream: int) -> None:
    """Release the segment at an address; where the model has none free there, another of its size."""
    block = allocator.heads.get(address)
    if block is not None and block.free and block.whole() and block.size == size:
        allocator.release(block)
        return
    for shelf in allocator.shelves():
        if shelf.stream != stream:
            continue
        each = next((each for each in shelf.free_blocks(size, size) if each.whole()), None)
        if each is not None:
            allocator.release(each)
            return


def _unmap(allocator: Allocator, address: int, size: int) -> None:
    """Unmap a range where it lies in a free block; where it does not, nothing."""
    for shelf in allocator.shelves():
        for block in shelf.free_blocks(size):
            if block.grown is not None and block.address <= address and address + size <= block.end:
                unmap(allocator, block, address, address + size)
                return

"""A plan carried out by a model, under a capacity or without: how much it needs, and where it does not fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value
from dstop.snapshot.replay.capacity import device_bytes
from dstop.snapshot.replay.furnish import as_it_was
from dstop.snapshot.replay.model import SHARED, Allocator
from dstop.snapshot.replay.plan import ASK, FAIL, FLUSH, FREE, PEND, Plan

if TYPE_CHECKING:
    from dstop.snapshot.replay.blocks import Block
    from dstop.snapshot.replay.capacity import Capacity
    from dstop.snapshot.replay.rules import Rules


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Outcome(Value):
    """What came of it."""

    peak_reserved_bytes: int
    peak_live_bytes: int
    need_bytes: int
    """The least capacity that would have done, as far as one run tells: the most that was reserved and could not be
    given back."""
    short_bytes: int
    """What the first request that did not fit lacked; 0 where all fitted."""
    short_event: int | None
    """The event of that request; -1 is what is older than the ring."""
    flushes: int
    """How often everything cached was given back because the capacity was reached."""


def carry_out(plan: Plan, rules: Rules, capacity: Capacity, *, anew: bool) -> Outcome:
    """Carry a plan out.

    A request that does not fit is noted and then given more than there is, so that the rest is seen too.

    Args:
        plan: of a recording, or a changed one.
        rules: to allocate by.
        capacity: what may be reserved.
        anew: place what is older than the ring by these rules, instead of where it lay.
    """
    allocator = Allocator(rules, capacity.size_bytes, device_bytes(capacity), plan.kept_pools)
    allocator.collects_bytes = capacity.collects_bytes
    allocator.driver.falling = plan.falling
    return _Run(plan, allocator, anew=anew).go()


class _Run:
    def __init__(self, plan: Plan, allocator: Allocator, *, anew: bool) -> None:
        self.plan, self.allocator = plan, allocator
        self.requested, self.stream = plan.requested.tolist(), plan.stream.tolist()
        self.live = self.peak_live = self.peak_reserved = self.need = 0
        self.short = 0
        self.short_event: int | None = None
        self.pending: set[int] = set()
        """Rows that are given back as soon as somebody waits for the streams that use them."""
        self.blocks: dict[int, Block] = {}
        allocator.before_flush = self._complete
        self._begin(anew=anew)

    def _begin(self, *, anew: bool) -> None:
        if anew:
            for row in self.plan.begin.rows.tolist():
                self._ask(row, -1)
            return
        self.blocks = as_it_was(self.allocator, self.plan)
        self.live = sum(block.size for block in self.blocks.values())
        self._note()

    def go(self) -> Outcome:
        """Carry out every operation."""
        plan, allocator, blocks = self.plan, self.allocator, self.blocks
        columns = (plan.event.tolist(), plan.what.tolist(), plan.row.tolist())
        for event, what, row in zip(*columns, strict=True):
            if what == FREE:
                block = blocks.pop(row, None)
                if block is not None:
                    self.live -= block.size
                    allocator.free(block)
            elif what == ASK:
                self._ask(row, event)
            elif what == PEND:
                self.pending.add(row)
            elif what == FLUSH:
                allocator.empty_cache()
            elif what == FAIL:
                size, stream = plan.failing[row]
                block = self._get(size, stream, SHARED, event)
                self.live -= block.size
                allocator.free(block)
        return Outcome(
            peak_reserved_bytes=self.peak_reserved,
            peak_live_bytes=self.peak_live,
            need_bytes=self.need,
            short_bytes=self.short,
            short_event=self.short_event,
            flushes=allocator.flushes,
        )

    def _ask(self, row: int, event: int) -> None:
        size = self.requested[row]
        if size > 0:
            pool = SHARED if self.plan.pool is None else self.plan.pool[row]
            self.blocks[row] = self._get(size, self.stream[row], pool, event)

    def _get(self, size: int, stream: int, pool: tuple[int, int], event: int) -> Block:
        allocator, driver = self.allocator, self.allocator.driver
        block = allocator.malloc(size, stream, pool)
        while block is None:
            if self.short_event is None:
                self.short, self.short_event = driver.missing_bytes, event
            driver.capacity_bytes = (driver.capacity_bytes or 0) + driver.missing_bytes
            block = allocator.malloc(size, stream, pool)
        self.live += block.size
        self._note()
        return block

    def _note(self) -> None:
        allocator = self.allocator
        reserved = allocator.reserved_bytes
        self.peak_live = max(self.peak_live, self.live)
        self.need = max(self.need, reserved - allocator.releasable[0])
        self.peak_reserved = max(self.peak_reserved, reserved)

    def _complete(self) -> None:
        """Complete the frees that wait for other streams (`synchronize_and_free_events`)."""
        for row in sorted(self.pending):
            block = self.blocks.pop(row, None)
            if block is not None:
                self.live -= block.size
                self.allocator.free(block)
        self.pending.clear()

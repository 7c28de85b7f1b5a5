"""Putting the past into a model: where it really lay, or where other rules would have put it."""

from __future__ import annotations

from bisect import bisect_left
from itertools import groupby
from typing import TYPE_CHECKING

from dstop.snapshot.replay.blocks import Block, Grown
from dstop.snapshot.replay.rules import page_size
from dstop.units import TIB

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dstop.snapshot.replay.begin import Begin, Held
    from dstop.snapshot.replay.blocks import Shelf
    from dstop.snapshot.replay.model import Allocator
    from dstop.snapshot.replay.plan import Plan

_FAR = 16 * TIB
"""Two ranges further apart than this are two expandable segments."""


def as_it_was(allocator: Allocator, plan: Plan) -> dict[int, Block]:
    """Put the segments and blocks where they lay before the first event.

    Returns:
        The block of each row that is older than the ring; rows that lie in no segment have none.
    """
    begin = plan.begin
    placed = _Placed(begin)
    made: dict[int, Block] = {}
    age = {address: number for number, address in enumerate(plan.ages)}
    for each in sorted(begin.held, key=lambda held: age.get(held.address, len(age))):
        if not each.expandable:
            _fill(allocator, None, [each], placed, made)
    grown = sorted(
        (each for each in begin.held if each.expandable),
        key=lambda each: (each.pool, each.small, each.stream, each.address),
    )
    for _, together in groupby(grown, key=lambda each: (each.pool, each.small, each.stream)):
        for ranges in _near(list(together)):
            _fill(allocator, _space(allocator, ranges, begin.later), ranges, placed, made)
    return made


def _space(allocator: Allocator, ranges: Sequence[Held], later: Sequence[Held]) -> Grown:
    """Give the address space of an expandable segment: from the lowest address that is ever mapped, as far as known."""
    first, end = ranges[0], ranges[-1].address + ranges[-1].size
    page = page_size(allocator.rules, small=first.small)
    lowest = end - allocator.driver.reach(page, end - first.address)
    below = later[bisect_left(later, (lowest,)) : bisect_left(later, (first.address,))]
    base = next(
        (each.address for each in below if each.stream == first.stream and each.small == first.small),
        first.address,
    )
    return Grown(base, allocator.driver.reach(page, end - base), page, allocator.next_order())


class _Placed:
    """The rows of the past by address; each is placed once."""

    def __init__(self, begin: Begin) -> None:
        self._rows = list(zip(begin.address.tolist(), begin.size.tolist(), begin.rows.tolist(), strict=True))
        self._addresses = [address for address, _, _ in self._rows]

    def within(self, start: int, end: int) -> Iterable[tuple[int, int, int]]:
        """Give (address, size, row) of the blocks in a range; what overlaps another or the end is left out."""
        at = bisect_left(self._addresses, start)
        free_from = start
        for address, size, row in self._rows[at : bisect_left(self._addresses, end)]:
            if address >= free_from and address + size <= end and size > 0:
                yield address, size, row
                free_from = address + size


def _near(ranges: Sequence[Held]) -> list[list[Held]]:
    groups = [[ranges[0]]]
    for each in ranges[1:]:
        if each.address - groups[-1][-1].address > _FAR:
            groups.append([])
        groups[-1].append(each)
    return groups


def _fill(
    allocator: Allocator, grown: Grown | None, ranges: Sequence[Held], placed: _Placed, made: dict[int, Block]
) -> None:
    """Make the blocks of one segment: those in use, the free ones between them, and address space without memory."""
    first = ranges[0]
    shelf = allocator.shelf(first.pool, first.stream, small=first.small)
    chain = _Chain(shelf, grown, allocator.next_order() if grown is None else grown.order)
    if grown is not None:
        chain.gap(first.address, grown.address)
    for each in ranges:
        chain.gap(each.address)
        end = each.address + each.size
        at = each.address
        for address, size, row in placed.within(each.address, end):
            chain.piece(at, address, free=True)
            made[row] = chain.piece(address, address + size, free=False) or made.get(row)  # type: ignore[assignment]
            at = address + size
        chain.piece(at, end, free=True)
        allocator.driver.reserved_bytes += each.size
    if grown is not None:
        chain.gap(grown.address + grown.size)
    elif chain.head is not None:
        allocator.driver.taken.add(chain.head.address)
        allocator.heads[chain.head.address] = chain.head
    for block in chain.free:
        shelf.put(block) if block.mapped else shelf.put_unmapped(block)


class _Chain:
    """Blocks in address order, each the neighbour of the one before."""

    def __init__(self, shelf: Shelf, grown: Grown | None, order: int) -> None:
        self.shelf, self.grown, self.order = shelf, grown, order
        self.head: Block | None = None
        self.last: Block | None = None
        self.free: list[Block] = []

    def piece(self, start: int, end: int, *, free: bool) -> Block | None:
        """Add a block; none where it would be empty."""
        if end <= start:
            return None
        block = Block(self.shelf, start, end - start, self.order, self.grown)
        block.put_between(self.last, None)
        self.last = block
        self.head = self.head or block
        if free:
            self.free.append(block)
        return block

    def gap(self, until: int, start: int | None = None) -> None:
        """Add address space without memory, up to an address."""
        if self.last is not None:
            start = self.last.end
        block = None if self.grown is None or start is None else self.piece(start, until, free=True)
        if block is not None:
            block.mapped = False

"""Expandable segments: address space that pages are mapped into where they are needed, and unmapped when they are free.

Written after `ExpandableSegment`, `find_expandable_block`, `map_block` and `unmap_block` in
`c10/cuda/CUDACachingAllocator.cpp` (2.1 to 2.14).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.snapshot.replay.blocks import Block, Grown, absorb_after, absorb_before, join
from dstop.snapshot.replay.rules import page_size

if TYPE_CHECKING:
    from dstop.snapshot.replay.blocks import Shelf
    from dstop.snapshot.replay.model import Allocator


def grow(allocator: Allocator, shelf: Shelf, size: int) -> Block | None:
    """Map pages where the lowest address allows it, and give the block; None where the driver has no more.

    What was mapped before the driver refused stays mapped (`try_allocate_expandable_block`).
    """
    block = _room(allocator, shelf, size)
    if not block.mapped and not _map(allocator, block, min(block.size, size)):
        return None
    while block.size < size:
        after = block.next
        if after is None or not _map(allocator, after, min(size - block.size, after.size)):
            return None
        block = after
    shelf.take(block)
    return block


def _room(allocator: Allocator, shelf: Shelf, size: int) -> Block:
    """Find free and unmapped address space in a row, or reserve new (`find_expandable_block`)."""
    for _, block in shelf.unmapped:
        before = block.prev
        start = before if before is not None and before.free else block
        room = 0
        each: Block | None = start
        while each is not None and room < size and each.free:
            room += each.size
            each = each.next
        if room >= size:
            return start
    page = page_size(allocator.rules, small=shelf.small)
    driver = allocator.driver
    grown = Grown(driver.space(), driver.reach(page, size), page, allocator.next_order())
    block = Block(shelf, grown.address, grown.size, grown.order, grown)
    shelf.put_unmapped(block)
    return block


def _map(allocator: Allocator, block: Block, size: int) -> bool:
    """Put memory behind the beginning of unmapped address space (`map_block`)."""
    grown = _grown(block)
    size = min(-(-size // grown.page) * grown.page, block.size)
    if not allocator.driver.reserve(size):
        return False
    shelf = block.shelf
    shelf.take_unmapped(block)
    if size < block.size:
        rest = Block(shelf, block.address + size, block.size - size, block.order, grown)
        rest.put_between(block, block.next)
        shelf.put_unmapped(rest)
        block.size = size
    join(block)
    shelf.put(block)
    return True


def unmap(allocator: Allocator, block: Block, least: int = 0, most: int | None = None) -> int:
    """Give back the pages that lie wholly in a free block (`unmap_block`).

    Args:
        allocator: whose block it is.
        block: free.
        least: the lowest address to give back.
        most: the end of what to give back; None is all of it.

    Returns:
        The bytes given back.
    """
    grown = _grown(block)
    page, base = grown.page, grown.address
    first = base + -(-(max(block.address, least) - base) // page) * page
    until = block.end if most is None else min(block.end, most)
    last = base + (until - base) // page * page
    if first >= last:
        return 0
    shelf = block.shelf
    shelf.take(block)
    if first > block.address:
        front = Block(shelf, block.address, first - block.address, block.order, grown)
        front.put_between(block.prev, block)
        shelf.put(front)
    if last < block.end:
        back = Block(shelf, last, block.end - last, block.order, grown)
        back.put_between(block, block.next)
        shelf.put(back)
    block.address, block.size = first, last - first
    _join_unmapped(shelf, block)
    allocator.driver.reserved_bytes -= last - first
    return last - first


def _join_unmapped(shelf: Shelf, block: Block) -> None:
    before, after = block.prev, block.next
    if before is not None and not before.mapped:
        shelf.take_unmapped(before)
        absorb_before(block, before)
    if after is not None and not after.mapped:
        shelf.take_unmapped(after)
        absorb_after(block, after)
    if block.prev is not None or block.next is not None:
        # An expandable segment without any page is given up (`release_expandable_segment`).
        shelf.put_unmapped(block)


def _grown(block: Block) -> Grown:
    if block.grown is None:
        raise TypeError("this block is of no expandable segment")
    return block.grown

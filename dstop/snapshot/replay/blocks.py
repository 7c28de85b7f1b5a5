"""What the model of the allocator is made of: blocks in address order, and shelves of free ones in order of size.

These change a million times a replay, so they are plain slotted objects and not frozen values.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING

from dstop.snapshot.replay.rules import SMALL_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.snapshot.replay.rules import Rules

Pool = tuple[int, int]


class Grown:
    """An expandable segment: address space, some of whose pages are mapped."""

    __slots__ = ("address", "order", "page", "size")

    def __init__(self, address: int, size: int, page: int, order: int = 0) -> None:
        self.address, self.size, self.page, self.order = address, size, page, order


class Block:
    """A piece of a segment: in use, free, or address space without memory. `prev` and `next` are its neighbours.

    `order` is the number of its segment where the older of two segments is preferred, and 0 where that does not count.
    """

    __slots__ = ("address", "born", "free", "grown", "mapped", "next", "order", "prev", "shelf", "size")

    def __init__(
        self, shelf: Shelf, address: int, size: int, order: int = 0, grown: Grown | None = None
    ) -> None:
        self.shelf, self.address, self.size, self.order, self.grown = shelf, address, size, order, grown
        self.free, self.mapped, self.born = False, True, 0
        self.prev: Block | None = None
        self.next: Block | None = None

    def __lt__(self, _: Block) -> bool:
        """Say no: only in a file that contradicts itself two free blocks have one size and address."""
        return False

    @property
    def end(self) -> int:
        """The address after its last byte."""
        return self.address + self.size

    def whole(self) -> bool:
        """Say whether it is a whole segment of `cudaMalloc`'s."""
        return self.prev is None and self.next is None and self.grown is None

    def releasable(self) -> int:
        """Give the bytes that go back to the driver when this free block is released (`release_blocks`)."""
        if self.grown is not None:
            base, page = self.grown.address, self.grown.page
            first, last = -(-(self.address - base) // page), (self.end - base) // page
            return max(0, last - first) * page
        return self.size if self.prev is None and self.next is None else 0

    def put_between(self, before: Block | None, after: Block | None) -> None:
        """Take the place between two neighbours (`splice`)."""
        self.prev, self.next = before, after
        if before is not None:
            before.next = self
        if after is not None:
            after.prev = self


class Shelf:
    """The free blocks of one pool, size class and stream, smallest first; nobody else may have them."""

    __slots__ = ("blocks", "calls", "frozen", "pool", "releasable", "small", "stream", "unmapped")

    def __init__(
        self, pool: Pool, stream: int, *, small: bool, calls: list[int], releasable: list[int]
    ) -> None:
        self.pool, self.stream, self.small = pool, stream, small
        self.blocks: list[tuple[int, int, int, Block]] = []
        """By (size, order, address), as `BlockComparatorSize` has it."""
        self.unmapped: list[tuple[int, Block]] = []
        """Address space without memory, by address."""
        self.calls = calls
        """How often a free block was looked for, in one cell that the shelves of all streams share: the gc's clock."""
        self.releasable = releasable
        """What releasing every free block would give back, in one cell that all shelves share."""
        self.frozen = False
        """A graph still uses this pool: nothing of it goes back (`graph_pools_freeable` lacks it)."""

    def put(self, block: Block) -> None:
        """Add a free block (`insert_into_blocks`)."""
        block.free, block.born = True, self.calls[0]
        insort(self.blocks, (block.size, block.order, block.address, block))
        if not self.frozen:
            self.releasable[0] += block.releasable()

    def take(self, block: Block) -> None:
        """Remove a free block; its place and size must be what they were when it was put."""
        at = bisect_left(self.blocks, (block.size, block.order, block.address))
        while self.blocks[at][3] is not block:
            at += 1
        del self.blocks[at]
        block.free = False
        if not self.frozen:
            self.releasable[0] -= block.releasable()

    def put_unmapped(self, block: Block) -> None:
        """Add address space."""
        block.free, block.mapped = True, False
        insort(self.unmapped, (block.address, block))

    def take_unmapped(self, block: Block) -> None:
        """Remove address space."""
        at = bisect_left(self.unmapped, (block.address,))
        while self.unmapped[at][1] is not block:
            at += 1
        del self.unmapped[at]
        block.free, block.mapped = False, True

    def fitting(self, size: int, rules: Rules) -> Block | None:
        """Give the free block that a request gets, without taking it; None where none will do (`get_free_block`).

        The smallest that is large enough, of those the one of the oldest segment or at the lowest address. With
        expandable segments the end of one counts as large as it may grow, so it is left alone while others will do.
        """
        blocks = self.blocks
        at = bisect_left(blocks, (size,))
        if at == len(blocks):
            return None
        block = blocks[at][3]
        if block.grown is not None:
            found = self._of_expandable(at, rules)
            if found is None:
                return None
            block = found
        limit = rules.max_split_bytes
        if limit is not None:
            if size < limit <= block.size:
                return None
            if size >= limit and block.size >= size + rules.max_rounding_bytes:
                return None
        return block

    def _of_expandable(self, at: int, rules: Rules) -> Block | None:
        blocks = self.blocks
        if not rules.expandable:
            return next((block for *_, block in blocks[at:] if block.grown is None), None)
        while at + 1 < len(blocks) and blocks[at][3].grown is not None:
            if _may_grow_to(blocks[at + 1][3]) >= _may_grow_to(blocks[at][3]):
                break
            at += 1
        return blocks[at][3]

    def free_blocks(self, least: int = 0, most: int | None = None) -> Iterator[Block]:
        """Give the free blocks of some sizes as they are now, smallest first; they may be taken meanwhile."""
        first = bisect_left(self.blocks, (least,)) if least else 0
        last = len(self.blocks) if most is None else bisect_left(self.blocks, (most + 1,))
        return iter([block for *_, block in self.blocks[first:last]])

    def splits(self, block: Block, size: int, rules: Rules) -> bool:
        """Say whether what a block has beyond a request is split off (`should_split`)."""
        rest = block.size - size
        if self.small or rules.expandable:
            return rest >= 512  # noqa: PLR2004 - MIN_BLOCK, in the hottest line of the replay
        return rest > SMALL_SIZE and (rules.max_split_bytes is None or size < rules.max_split_bytes)


def join(block: Block) -> None:
    """Join a block that is being freed with its free neighbours (`try_merge_blocks`)."""
    shelf, before, after = block.shelf, block.prev, block.next
    if before is not None and before.free and before.mapped:
        shelf.take(before)
        absorb_before(block, before)
    if after is not None and after.free and after.mapped:
        shelf.take(after)
        absorb_after(block, after)


def absorb_before(block: Block, before: Block) -> None:
    """Make the block before it a part of a block."""
    block.address, block.prev = before.address, before.prev
    block.size += before.size
    if before.prev is not None:
        before.prev.next = block


def absorb_after(block: Block, after: Block) -> None:
    """Make the block after it a part of a block."""
    block.size += after.size
    block.next = after.next
    if after.next is not None:
        after.next.prev = block


def _may_grow_to(block: Block) -> int:
    after = block.next
    return block.size + (after.size if after is not None and not after.mapped else 0)

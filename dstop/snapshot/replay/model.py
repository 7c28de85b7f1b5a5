"""PyTorch's native caching allocator for CUDA as a model: no memory, the same decisions.

Written after `DeviceCachingAllocator` in `c10/cuda/CUDACachingAllocator.cpp` (2.0 to 2.14); each method names the
function whose rule it has. Not modelled: `set_per_process_memory_fraction` (a capacity is a capacity, whoever set it),
pluggable allocators of a MemPool, and time: a free is complete when the replay says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.snapshot.replay.blocks import Block, Pool, Shelf, join
from dstop.snapshot.replay.driver import Driver
from dstop.snapshot.replay.expandable import grow, unmap
from dstop.snapshot.replay.rules import SMALL_SIZE, Rules, round_size, segment_size

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

SHARED: Pool = (0, 0)


class Allocator:
    """One device's allocator.

    Args:
        rules: its settings.
        capacity_bytes: what it may reserve; None is without end.
        device_bytes: see `Driver`.
        kept_pools: private pools that a CUDA graph still uses: nothing of them goes back.
    """

    def __init__(
        self,
        rules: Rules | None = None,
        capacity_bytes: int | None = None,
        device_bytes: int | None = None,
        kept_pools: Container[Pool] = (),
    ) -> None:
        self.rules = Rules() if rules is None else rules
        self.driver = Driver(capacity_bytes, device_bytes)
        self.heads: dict[int, Block] = {}
        """Free blocks that are whole segments of `cudaMalloc`'s may be found here by their address."""
        self.flushes = 0
        """How often everything cached was given back because the driver had no more."""
        self.before_flush: Callable[[], None] | None = None
        """Called when everything cached is about to be given back: frees that wait for streams are complete then."""
        self.releasable = [0]
        """What `empty_cache` would give back, in one cell that the shelves share."""
        self.collects_bytes: int | None = None
        """From how much reserved on the garbage collector works, where that is not its share of the device."""
        self.prefer: int | None = None
        """Where the next block is to lie, if one of the size that is taken anyway lies there."""
        self.preferred: list[tuple[int, int]] = []
        """The orders of (the block's that was preferred, the block's that would have been taken) where they differ."""
        self._kept_pools = kept_pools
        self._shelves: dict[tuple[Pool, bool, int], Shelf] = {}
        self._calls: dict[tuple[Pool, bool], list[int]] = {}
        self._rounded: dict[int, int] = {}
        self._segments = 0

    @property
    def reserved_bytes(self) -> int:
        """What the driver has given."""
        return self.driver.reserved_bytes

    def malloc(self, request: int, stream: int = 0, pool: Pool = SHARED) -> Block | None:
        """Hand out a block; None when the capacity is reached and giving back what is cached does not help.

        Args:
            request: in bytes, before rounding.
            stream: its handle.
            pool: (0, 0) is everybody's.
        """
        size = self._rounded.get(request)
        if size is None:
            size = self._rounded[request] = round_size(request, self.rules)
        small = size <= SMALL_SIZE
        shelf = self._shelves.get((pool, small, stream)) or self.shelf(pool, stream, small=small)
        shelf.calls[0] += 1
        block = shelf.fitting(size, self.rules)
        if block is not None:
            if self.prefer is not None and block.address != self.prefer:
                block = self._preferred(shelf, block, self.prefer)
            shelf.take(block)
        else:
            block = self._new_block(shelf, size)
            if block is None:
                return None
        if shelf.splits(block, size, self.rules):
            rest = Block(shelf, block.address + size, block.size - size, block.order, block.grown)
            rest.put_between(block, block.next)
            block.size = size
            shelf.put(rest)
        return block

    def free(self, block: Block) -> None:
        """Take a block back, and join it with free neighbours (`free_block`)."""
        join(block)
        block.shelf.put(block)
        if block.grown is None and block.prev is None:
            self.heads[block.address] = block

    def empty_cache(self) -> None:
        """Give back every free segment and page (`release_cached_blocks`)."""
        if self.before_flush is not None:
            self.before_flush()
        for shelf in self._shelves.values():
            if shelf.frozen:
                continue
            for block in shelf.free_blocks():
                if block.grown is not None:
                    unmap(self, block)
                elif block.whole():
                    self.release(block)

    def release(self, block: Block) -> None:
        """Give a whole free segment back to the driver (`release_block`)."""
        block.shelf.take(block)
        self.heads.pop(block.address, None)
        self.driver.taken.discard(block.address)
        self.driver.reserved_bytes -= block.size

    def _preferred(self, shelf: Shelf, block: Block, address: int) -> Block:
        other = next(
            (each for each in shelf.free_blocks(block.size, block.size) if each.address == address), None
        )
        if other is None:
            return block
        self.preferred.append((other.order, block.order))
        return other

    def _new_block(self, shelf: Shelf, size: int) -> Block | None:
        """Get memory from the driver, giving back what is cached where it has none (`malloc`)."""
        rules = self.rules
        if rules.gc_threshold:
            self._collect_garbage()
        block = self._from_driver(shelf, size)
        if block is None and rules.max_split_bytes is not None and self._release_oversize(shelf, size):
            block = self._from_driver(shelf, size)
        if block is None:
            self.flushes += 1
            self.empty_cache()
            block = self._from_driver(shelf, size)
        return block

    def _from_driver(self, shelf: Shelf, size: int) -> Block | None:
        """Make a segment, or grow one; None where the capacity is reached (`alloc_block`)."""
        if self.rules.expandable:
            return grow(self, shelf, size)
        wanted = segment_size(size, self.rules)
        if not self.driver.reserve(wanted):
            return None
        return Block(shelf, self.driver.address(wanted), wanted, self.next_order())

    def _release_oversize(self, shelf: Shelf, size: int) -> bool:
        """Give back enough of the blocks that must not be split (`release_available_cached_blocks`)."""
        limit = self.rules.max_split_bytes or 0
        wanted = max(size, limit)
        blocks = [block for block in shelf.free_blocks() if block.size >= limit and block.whole()]
        large = next((block for block in blocks if block.size >= wanted), None)
        if large is not None:
            self.release(large)
            return True
        given = 0
        while blocks and given < wanted:
            block = blocks.pop()
            given += block.size
            self.release(block)
        return given >= wanted

    def _collect_garbage(self) -> None:
        """Give back old whole segments of the large pool (`garbage_collect_cached_blocks`)."""
        limit, device = self.collects_bytes, self.driver.device_bytes or self.driver.capacity_bytes
        if limit is None and device is not None:
            limit = int(self.rules.gc_threshold * device)
        if limit is None or self.reserved_bytes <= limit:
            return
        target = self.reserved_bytes - limit
        now = self._calls.get((SHARED, False), [0])[0]
        blocks = [block for shelf in self._large() for block in shelf.free_blocks() if block.whole()]
        age, given, found = sum(now - block.born for block in blocks), 0, True
        while given < target and found and blocks:
            average = age / len(blocks)
            old = [block for block in blocks if now - block.born >= average]
            blocks = [block for block in blocks if now - block.born < average]
            found = bool(old)
            for block in old:
                given += block.size
                age -= now - block.born
                self.release(block)

    def shelf(self, pool: Pool, stream: int, *, small: bool) -> Shelf:
        """Give the free blocks of a pool, stream and size class."""
        key = (pool, small, stream)
        found = self._shelves.get(key)
        if found is None:
            calls = self._calls.setdefault((pool, small), [0])
            found = Shelf(pool, stream, small=small, calls=calls, releasable=self.releasable)
            found.frozen = pool in self._kept_pools
            self._shelves[key] = found
        return found

    def shelves(self) -> Iterator[Shelf]:
        """Give all of them, in the order in which they were first asked for."""
        return iter(self._shelves.values())

    def next_order(self) -> int:
        """Number a segment; 0 where its age does not matter."""
        self._segments += 1
        return self._segments if self.rules.oldest_first else 0

    def _large(self) -> list[Shelf]:
        mine = [each for each in self._shelves.values() if each.pool == SHARED and not each.small]
        return sorted(mine, key=lambda shelf: shelf.stream)

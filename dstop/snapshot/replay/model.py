"""PyTorch's native caching allocator for CUDA as a model: no memory, the same decisions.

Written after `DeviceCachingAllocator` in `c10/cuda/CUDACachingAllocator.cpp` (2.0 to 2.14); each method names the
function whose rule it has. Not modelled: `set_per_process_memory_fraction` (a capacity is a capacity, whoever set it),
pluggable allocators of a MemPool, and time: a free is complete when the replay says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.snapshot.replay.blocks import Block, Grown, Pool, Shelf
from dstop.snapshot.replay.rules import SMALL_SIZE, Rules, page_size, round_size, segment_size
from dstop.units import TIB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHARED: Pool = (0, 0)
_OWN_ADDRESSES = 1 << 52
"""Where segments are put whose address nobody told: above every address of a device."""
_GAP = 4 * TIB


class Allocator:
    """One device's allocator.

    Args:
        rules: its settings.
        capacity_bytes: what it may reserve; None is without end.
        device_bytes: how large the device is, which decides how far an expandable segment may reach; None is larger
            than any.
    """

    def __init__(
        self, rules: Rules | None = None, capacity_bytes: int | None = None, device_bytes: int | None = None
    ) -> None:
        self.rules = Rules() if rules is None else rules
        self.capacity_bytes = capacity_bytes
        self.device_bytes = device_bytes
        self.reserved_bytes = 0
        self.told: list[tuple[int, int]] = []
        """(size, address) of segments that a recording says were made now: the next one of that size is put there."""
        self.heads: dict[int, Block] = {}
        """The first block of each `cudaMalloc`, by its address."""
        self.missing_bytes = 0
        """How much the last failed request lacked."""
        self.flushes = 0
        """How often everything cached was given back because the driver had no more."""
        self.before_flush: Callable[[], None] | None = None
        """Called when everything cached is about to be given back: frees that wait for streams are complete then."""
        self.releasable = [0]
        """What `empty_cache` would give back, in one cell that the shelves share."""
        self._shelves: dict[tuple[Pool, bool, int], Shelf] = {}
        self._calls: dict[tuple[Pool, bool], list[int]] = {}
        self._rounded: dict[int, int] = {}
        self._next_address = _OWN_ADDRESSES
        self._segments = 0

    # Requests

    def malloc(self, request: int, stream: int = 0, pool: Pool = SHARED) -> Block | None:
        """Hand out a block; None when the capacity is reached and giving back what is cached does not help.

        Args:
            request: in bytes, before rounding.
            stream: its handle.
            pool: (0, 0) is everybody's.
        """
        size = self._rounded.get(request) or self._round(request)
        small = size <= SMALL_SIZE
        shelf = self._shelves.get((pool, small, stream)) or self.shelf(pool, stream, small=small)
        shelf.calls[0] += 1
        block = shelf.fitting(size, self.rules)
        if block is not None:
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
        """Take a block back, and join it with free neighbours (`free_block`, `try_merge_blocks`)."""
        shelf = block.shelf
        before, after = block.prev, block.next
        if before is not None and before.free and before.mapped:
            shelf.take(before)
            self._absorb_before(block, before)
        if after is not None and after.free and after.mapped:
            shelf.take(after)
            self._absorb_after(block, after)
        shelf.put(block)

    def empty_cache(self) -> None:
        """Give back every free segment and page (`release_cached_blocks`)."""
        if self.before_flush is not None:
            self.before_flush()
        for shelf in self._shelves.values():
            if shelf.frozen:
                continue
            for block in shelf.free_blocks():
                if block.grown is not None:
                    self.unmap(block)
                elif block.prev is None and block.next is None:
                    self.release(block)

    # New memory

    def _new_block(self, shelf: Shelf, size: int) -> Block | None:
        """Get memory from the driver, giving back what is cached where it has none (`malloc`)."""
        rules = self.rules
        if rules.gc_threshold and self.capacity_bytes is not None:
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
            return self._grow(shelf, size)
        wanted = segment_size(size, self.rules)
        if not self._reserve(wanted):
            return None
        block = Block(shelf, self._address(wanted), wanted, self.next_order())
        self.heads[block.address] = block
        return block

    def next_order(self) -> int:
        """Number a segment; 0 where its age does not matter."""
        self._segments += 1
        return self._segments if self.rules.oldest_first else 0

    def _reserve(self, size: int) -> bool:
        if self.capacity_bytes is not None and self.reserved_bytes + size > self.capacity_bytes:
            self.missing_bytes = self.reserved_bytes + size - self.capacity_bytes
            return False
        self.reserved_bytes += size
        return True

    def _address(self, size: int) -> int:
        for number, (told, address) in enumerate(self.told):
            if told == size and address not in self.heads:
                del self.told[number]
                return address
        self._next_address += -(-size // (1 << 21)) * (1 << 21)
        return self._next_address - size

    def _grow(self, shelf: Shelf, size: int) -> Block | None:
        """Map pages where the lowest address allows it (`try_allocate_expandable_block`)."""
        block = self._room(shelf, size)
        if not block.mapped and not self._map(block, min(block.size, size)):
            return None
        while block.size < size:
            after = block.next
            if after is None or not self._map(after, min(size - block.size, after.size)):
                return None
            block = after
        shelf.take(block)
        return block

    def _room(self, shelf: Shelf, size: int) -> Block:
        """Find free and unmapped address space in a row, or reserve new (`find_expandable_block`)."""
        for _, block in shelf.unmapped:
            before = block.prev
            start = before if before is not None and before.free else block
            room, each = 0, start
            while room < size and each.free:
                room += each.size
                if each.next is None:
                    break
                each = each.next
            if room >= size:
                return start
        return self.reserve_addresses(shelf, self._base(), size)

    def reserve_addresses(self, shelf: Shelf, address: int, least: int = 0) -> Block:
        """Make an expandable segment, nothing of it mapped."""
        page = page_size(self.rules, small=shelf.small)
        grown = Grown(address, self.reach(page, least), page, self.next_order())
        block = Block(shelf, address, grown.size, grown.order, grown)
        shelf.put_unmapped(block)
        return block

    def reach(self, page: int, least: int = 0) -> int:
        """Give the address space of an expandable segment: 1 1/8 of the device, in whole pages."""
        most = TIB if self.device_bytes is None else self.device_bytes * 9 // 8
        return -(-max(most, least) // page) * page

    def _base(self) -> int:
        if self.told:
            return self.told.pop(0)[1]
        self._next_address += _GAP
        return self._next_address - _GAP

    def _map(self, block: Block, size: int) -> bool:
        """Put memory behind the beginning of unmapped address space (`map_block`)."""
        grown = block.grown
        if grown is None:
            raise TypeError("only expandable segments have address space without memory")
        size = min(-(-size // grown.page) * grown.page, block.size)
        if not self._reserve(size):
            return False
        shelf = block.shelf
        shelf.take_unmapped(block)
        if size < block.size:
            rest = Block(shelf, block.address + size, block.size - size, block.order, grown)
            rest.put_between(block, block.next)
            shelf.put_unmapped(rest)
            block.size = size
        self.free(block)
        return True

    # Giving back

    def release(self, block: Block) -> None:
        """Give a whole free segment back to the driver (`release_block`)."""
        block.shelf.take(block)
        self.heads.pop(block.address, None)
        self.reserved_bytes -= block.size

    def unmap(self, block: Block, least: int = 0, most: int | None = None) -> int:
        """Give back the pages that lie wholly in a free block of an expandable segment (`unmap_block`).

        Args:
            block: free.
            least: the lowest address to give back.
            most: the end of what to give back; None is all of it.

        Returns:
            The bytes given back.
        """
        grown = block.grown
        if grown is None:
            raise TypeError("only expandable segments are unmapped")
        page = grown.page
        first = grown.address - (grown.address - max(block.address, least)) // page * page
        until = block.end if most is None else min(block.end, most)
        last = grown.address + (until - grown.address) // page * page
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
        self._join_unmapped(block)
        self.reserved_bytes -= last - first
        return last - first

    def _join_unmapped(self, block: Block) -> None:
        shelf = block.shelf
        before, after = block.prev, block.next
        if before is not None and not before.mapped:
            shelf.take_unmapped(before)
            self._absorb_before(block, before)
        if after is not None and not after.mapped:
            shelf.take_unmapped(after)
            self._absorb_after(block, after)
        if block.prev is not None or block.next is not None:
            # An expandable segment without any page is given up (`release_expandable_segment`).
            shelf.put_unmapped(block)

    def _release_oversize(self, shelf: Shelf, size: int) -> bool:
        """Give back enough of the blocks that must not be split (`release_available_cached_blocks`)."""
        limit = self.rules.max_split_bytes or 0
        wanted = max(size, limit)
        for block in shelf.free_blocks():
            if block.size >= wanted and block.whole():
                self.release(block)
                return True
        given = 0
        for block in reversed(list(shelf.free_blocks())):
            if given >= wanted or block.size < limit:
                break
            if block.whole():
                given += block.size
                self.release(block)
        return given >= wanted

    def _collect_garbage(self) -> None:
        """Give back old whole segments of the large pool (`garbage_collect_cached_blocks`)."""
        threshold = int(self.rules.gc_threshold * (self.capacity_bytes or 0))
        target = self.reserved_bytes - threshold
        if target <= 0:
            return
        now = self._calls.get((SHARED, False), [0])[0]
        blocks = [block for shelf in self._large() for block in shelf.free_blocks() if block.whole()]
        age, count, given, found = sum(now - block.born for block in blocks), len(blocks), 0, True
        while given < target and found and count > 0:
            limit, found, kept = age / count, False, []
            for block in blocks:
                if now - block.born < limit:
                    kept.append(block)
                    continue
                found = True
                given += block.size
                age -= now - block.born
                count -= 1
                self.release(block)
            blocks = kept

    # Shelves

    def shelf(self, pool: Pool, stream: int, *, small: bool) -> Shelf:
        """Give the free blocks of a pool, stream and size class."""
        key = (pool, small, stream)
        if key not in self._shelves:
            calls = self._calls.setdefault((pool, small), [0])
            self._shelves[key] = Shelf(pool, stream, small=small, calls=calls, releasable=self.releasable)
        return self._shelves[key]

    def shelves(self) -> Iterator[Shelf]:
        """Give all of them, in the order in which they were first asked for."""
        return iter(self._shelves.values())

    def _large(self) -> list[Shelf]:
        mine = [each for each in self._shelves.values() if each.pool == SHARED and not each.small]
        return sorted(mine, key=lambda shelf: shelf.stream)

    def _round(self, request: int) -> int:
        return self._rounded.setdefault(request, round_size(request, self.rules))

    # Neighbours

    @staticmethod
    def _absorb_after(block: Block, after: Block) -> None:
        block.size += after.size
        block.next = after.next
        if after.next is not None:
            after.next.prev = block

    def _absorb_before(self, block: Block, before: Block) -> None:
        block.address, block.prev = before.address, before.prev
        block.size += before.size
        if before.prev is not None:
            before.prev.next = block
        elif block.grown is None:
            self.heads[block.address] = block

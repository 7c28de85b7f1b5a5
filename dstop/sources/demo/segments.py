"""The segment map of a simulated allocator: segments and blocks that add up to its figures exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.model.segment import ACTIVE, INACTIVE, PENDING, Block, Segment, SegmentMap
from dstop.sources.demo.noise import scramble
from dstop.units import GIB, MIB

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dstop.model.allocator import Allocator

_PAGE, _LARGE, _BLOCK = 2 * MIB, 20 * MIB, 512
_SMALL_SEGMENTS = 48
_FIRST_ADDRESS = 0x7F20_0000_0000
_STREAM = 0x55D0_1C3F_A2B0
"""The handle of the stream that gathers the shards."""
_EVERY_NTH_ON_STREAM = 6


def segment_map(allocator: Allocator, *, seed: int, taken_at_ns: int, private_bytes: int = 0) -> SegmentMap:
    """Cut the reserved memory into segments and these into blocks.

    Args:
        allocator: figures that the map has to come to.
        seed: another seed cuts differently.
        taken_at_ns: the moment.
        private_bytes: about how much of it is in the pool of CUDA graphs.
    """
    reserved, active = allocator.reserved_bytes or 0, allocator.active_bytes or 0
    split = min(allocator.inactive_split_bytes or 0, reserved - active)
    idle = (reserved - active - split) // _PAGE * _PAGE
    split = reserved - active - idle
    waiting = active - (allocator.allocated_bytes or 0)
    sizes = list(_sizes(reserved - idle, seed, small=_SMALL_SEGMENTS))
    found: list[Segment] = []
    left_split, left_waiting, left = split, waiting, reserved - idle
    for number, size in enumerate(sizes):
        free = _free_part(size, left_split, left, scramble(seed, number, 3))
        held = left_waiting * size // left // _BLOCK * _BLOCK if size < left else left_waiting
        left, left_split, left_waiting = left - size, left_split - free, left_waiting - held
        blocks = tuple(_blocks(size - free - held, free, held, scramble(seed, number, 1)))
        found.append(_segment(allocator.index, number, size, blocks, private_bytes=private_bytes))
        private_bytes -= size if found[-1].pool != (0, 0) else 0
    for number, size in enumerate(_sizes(idle, seed + 1, small=0), start=len(found)):
        blocks = (Block(size, None, INACTIVE),)
        found.append(_segment(allocator.index, number, size, blocks, private_bytes=0))
    return SegmentMap(taken_at_ns=taken_at_ns, segments=tuple(found))


def _free_part(size: int, left_split: int, left: int, noise: int) -> int:
    """Give a segment more or less than its share of what is free, and the last of them what remains."""
    if size == left:
        return left_split
    wanted = left_split * size * (noise % 25) // (left * 8)
    most = min(left_split, size * 15 // 16)
    least = max(0, left_split - (left - size) * 7 // 8)
    return min(most, max(least, wanted)) // _BLOCK * _BLOCK


def _segment(index: int, number: int, size: int, blocks: Sequence[Block], *, private_bytes: int) -> Segment:
    used = sum(block.size_bytes for block in blocks if block.state == ACTIVE)
    held = sum(block.size_bytes for block in blocks if block.state == PENDING)
    small = size == _PAGE
    private = not small and private_bytes > 0
    gathers = not small and not private and number % _EVERY_NTH_ON_STREAM == 0
    return Segment(
        device_index=index,
        address=_FIRST_ADDRESS + number * 4 * GIB,
        total_bytes=size,
        allocated_bytes=used,
        active_bytes=used + held,
        stream=_STREAM if gathers else 0,
        small=small,
        pool=(1, 0) if private else (0, 0),
        blocks=tuple(blocks),
    )


def _sizes(total: int, seed: int, *, small: int) -> Iterator[int]:
    """Cut an amount: small segments first, then large ones that double now and then; the last takes what is left."""
    for _ in range(small):
        if total <= _PAGE:
            break
        yield _PAGE
        total -= _PAGE
    base = max(_LARGE, total // 160 // _PAGE * _PAGE)
    number = 0
    while total > 0:
        size = base << scramble(seed, number, 2) % 4
        number += 1
        if total - size < _LARGE:
            size = total
        yield size
        total -= size


def _blocks(used: int, free: int, held: int, noise: int) -> Iterator[Block]:
    """Lay tensors and gaps in turns, of uneven sizes; what another stream still uses is behind the first tensor."""
    turns = 1 + noise % 6 if free else 1
    for turn in range(turns, 0, -1):
        uneven = 1 if turn == 1 else 1 / turn * (0.5 + (noise >> turn) % 8 / 8)
        tensor = used if turn == 1 else int(used * uneven) // _BLOCK * _BLOCK
        gap = free if turn == 1 else int(free / turn) // _BLOCK * _BLOCK
        used, free = used - tensor, free - gap
        if tensor:
            yield Block(tensor, max(1, tensor - 96), ACTIVE)
        if held:
            yield Block(held, held, PENDING)
            held = 0
        if gap:
            yield Block(gap, None, INACTIVE)

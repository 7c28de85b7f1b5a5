"""Which snapshot is of the failure, and what its figures add to what the failure itself tells."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dstop.doctor.evidence.collect import Found
    from dstop.doctor.evidence.facts import AllocationFailure
    from dstop.doctor.evidence.memory import Memory

T = TypeVar("T")
_SAME = 0.02
"""Reserved bytes that differ by more than this share are of another failure; a message rounds its figures by less."""


def memory_of(found: Iterable[Found], failure: AllocationFailure | None) -> Memory | None:
    """Choose the snapshot of the failure: its black box's own, else a named one of that device and those figures."""
    every = [(one.source, one.memory) for one in found if one.memory is not None]
    if failure is None:
        return next((memory for _, memory in every), None)
    own = [memory for source, memory in every if failure.place.source in {source, str(memory.place)}]
    if own:
        return own[0]
    # The snapshot of another rank's black box is of another process.
    named = [memory for source, memory in every if source == memory.source]
    return next((memory for memory in named if _agrees(memory, failure)), None)


def disagreeing(found: Sequence[Found], failure: AllocationFailure | None) -> tuple[str, ...]:
    """Say which named snapshots are of another moment than the failure, and so were left aside."""
    if failure is None:
        return ()
    named = [one.memory for one in found if one.memory is not None and one.source == one.memory.source]
    return tuple(
        f"{memory.source} is of another moment or device than the failure: it was left aside"
        for memory in named
        if str(memory.place) != failure.place.source and not _agrees(memory, failure)
    )


def _agrees(memory: Memory, failure: AllocationFailure) -> bool:
    if failure.device is not None and failure.device != memory.device:
        return False
    mine = memory.failure
    if mine is None or failure.reserved_bytes is None:
        return True
    off = abs(mine.reserved_bytes - failure.reserved_bytes)
    return off <= _SAME * failure.reserved_bytes + failure.rounding_bytes


def completed(failure: AllocationFailure, memory: Memory | None) -> AllocationFailure:
    """Fill in what the failure does not tell and the snapshot does; what both tell stays as the failure has it."""
    if memory is None or not memory.is_of_failure:
        return failure
    blocks = memory.blocks
    pending, asked = blocks.pending_bytes, blocks.requested_bytes
    # The program may have let go a little since: what is carried over is by how much the counters differ.
    allocated = blocks.allocated_bytes if failure.allocated_bytes is None else failure.allocated_bytes
    requested = None if asked is None else allocated - (blocks.allocated_bytes - asked)
    idle = max(0, memory.fragmentation.reserved_bytes - blocks.allocated_bytes)
    return replace(
        failure,
        is_expandable=_or(failure.is_expandable, memory.is_expandable),
        allocated_bytes=allocated,
        active_bytes=_or(failure.active_bytes, allocated + pending if pending else None),
        requested_bytes=_or(failure.requested_bytes, requested),
        private_pool_bytes=_or(failure.private_pool_bytes, blocks.private_allocated_bytes or None),
        reserved_bytes=_or(failure.reserved_bytes, memory.fragmentation.reserved_bytes),
        reserved_unallocated_bytes=_or(failure.reserved_unallocated_bytes, idle),
    )


def _or(mine: T | None, other: T | None) -> T | None:
    return other if mine is None else mine

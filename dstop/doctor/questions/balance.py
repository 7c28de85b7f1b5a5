"""The balance sheet of a refused allocation.

total = live + private pools + cached + not PyTorch's + others + unattributed + free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.model.diagnosis import Balance

if TYPE_CHECKING:
    from dstop.doctor.evidence.facts import AllocationFailure


def balance_of(failure: AllocationFailure) -> Balance:
    """Set the figures of a message against each other; a part that they do not determine stays None.

    `allocated` of a message includes private pools; what a process holds beyond its allocator's reserved bytes is its
    context, NCCL's and other libraries' (c10/cuda/CUDACachingAllocator.cpp, the text of the error). On Windows, where
    more can be allocated than the card has, nothing adds up, and the parts of the card stay None.
    """
    pools = failure.private_pool_bytes
    live = _less(failure.allocated_bytes, pools or 0)
    if failure.is_spilling:
        return Balance(
            total_bytes=failure.total_bytes,
            allocated_bytes=live,
            cached_bytes=failure.reserved_unallocated_bytes,
            free_bytes=failure.free_bytes,
            rounding_bytes=failure.rounding_bytes,
            tried_bytes=failure.tried_bytes,
        )
    outside = _less(failure.process_bytes, failure.reserved_bytes)
    others = sum(size for _, size in failure.others) if failure.others else None
    held = failure.process_bytes if failure.process_bytes is not None else failure.reserved_bytes
    unattributed = None
    if failure.total_bytes is not None and failure.free_bytes is not None and held is not None:
        unattributed = max(0, failure.total_bytes - failure.free_bytes - held - (others or 0))
        if unattributed <= failure.rounding_bytes:
            unattributed = 0
    return Balance(
        total_bytes=failure.total_bytes,
        allocated_bytes=live,
        private_pool_bytes=pools,
        cached_bytes=failure.reserved_unallocated_bytes,
        not_pytorch_bytes=outside,
        others_bytes=others,
        unattributed_bytes=unattributed,
        free_bytes=failure.free_bytes,
        rounding_bytes=failure.rounding_bytes,
        tried_bytes=failure.tried_bytes,
    )


def _less(amount: int | None, part: int | None) -> int | None:
    return None if amount is None or part is None else max(0, amount - part)

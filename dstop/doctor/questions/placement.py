"""Who sits on a card beside us: contexts, siblings of the same job, and neighbours that take a card whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.units import GIB, MIB

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import AllocationFailure

_CONTEXT_BYTES = (150 * MIB, 3 * GIB // 2)
"""From a bare context to one with kernels, libraries and a few tensors."""
_ALIKE = 0.15
"""By how much siblings may differ: their batches do."""
_DISTRIBUTED = (
    r"torchrun|LOCAL_RANK|DistributedDataParallel|nproc[-_]per[-_]node|mpirun|torch[./]distributed|\bdeepspeed\b|"
    r"fully_sharded|accelerate launch|\bDDP\b|\bFSDP\b|init_process_group|local_rank"
)


def contexts_of(failure: AllocationFailure) -> tuple[tuple[int, int], ...]:
    """Give (pid, bytes) of the processes that hold about a context."""
    least, most = _CONTEXT_BYTES
    return tuple((pid, size) for pid, size in failure.others if least <= size <= most)


def siblings_of(failure: AllocationFailure) -> tuple[tuple[int, int], ...]:
    """Give (pid, bytes) of the processes that hold what this one holds."""
    own = failure.process_bytes or failure.reserved_bytes
    if not own or own <= _CONTEXT_BYTES[1]:
        return ()
    return tuple((pid, size) for pid, size in failure.others if abs(size - own) <= _ALIKE * own)


def is_distributed(case: Case) -> bool:
    """Whether the job has more than one rank, as far as its log tells."""
    if (case.number("world_size") or 1) > 1:
        return True
    ranks = {one.rank for one in case.failures} | {
        sign.rank for sign in case.all("nccl.watchdog", "nccl.version")
    }
    return len(ranks - {None}) >= 1 or case.says(_DISTRIBUTED)

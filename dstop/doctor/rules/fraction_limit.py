"""A limit that somebody configured refused, and not the card

What it means
    `set_per_process_memory_fraction`, `per_process_memory_fraction` of the allocator's settings, or Metal's high watermark lets
    a process use a part of the memory alone, and that part is used up.

Evidence
    The message names what is `allowed`, or free memory far exceeds the request while the limit is below the card.

Fix
    Raise or remove the limit; it needs (allocated + request) / total at least.

When it is wrong
    17179869184.00 GiB is how "no limit" is printed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.rule import FITS, PROVEN, SAYS_SO, Assessment, Rule
from dstop.model.diagnosis import Evidence
from dstop.units import GIB

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import AllocationFailure
    from dstop.model.diagnosis import Fix

_BELOW = 0.98
_ROOM = 2
_JULIA = "export JULIA_CUDA_HARD_MEMORY_LIMIT=none"
_XPU = "export UR_L0_USE_RELAXED_ALLOCATION_LIMITS=1"
_MPS = "export PYTORCH_MPS_HIGH_WATERMARK_RATIO=0.0  # no limit; the system may swap"


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    if failure is None:
        return None
    strength = _said_so(failure)
    if strength is not None:
        return _answer(case, strength, _fixes(case))
    allowed = failure.allowed_bytes
    if allowed is None:
        return _unprinted(case) if _is_refused_with_room(case) else None
    if failure.total_bytes is None or allowed >= _BELOW * failure.total_bytes:
        return None
    if (
        failure.free_bytes is not None
        and failure.tried_bytes is not None
        and failure.free_bytes < failure.tried_bytes
    ):
        return None
    needed = (failure.reserved_bytes or failure.allocated_bytes or 0) + (failure.tried_bytes or 0)
    share = min(1.0, needed / failure.total_bytes)
    says = f"{gib(allowed)} of {gib(failure.total_bytes)} is allowed; {gib(needed)} is needed: a fraction of {share:.2f}"
    return _answer(
        case, PROVEN + 10, _raised(case, share), Evidence(source=str(failure.place), says=says, value=allowed)
    )


def _said_so(failure: AllocationFailure) -> int | None:
    """Give the strength where the refusing program names its limit itself."""
    if failure.family in {"torch_fraction", "block_limit"}:
        return SAYS_SO
    return SAYS_SO - 4 if failure.family in {"mps", "julia"} and failure.allowed_bytes is not None else None


def _fixes(case: Case) -> tuple[Fix, ...]:
    family = "" if case.failure is None else case.failure.family
    if family == "mps":
        ids = ("raise_memory_limit", "reduce_batch", "use_smaller_model", "reduce_resolution")
        return prescribe(case, *ids, commands={"raise_memory_limit": _MPS})
    if family == "julia":
        ids = ("raise_memory_limit", "reduce_batch", "upgrade_version", "empty_cache")
        return prescribe(case, *ids, commands={"raise_memory_limit": _JULIA})
    if family == "block_limit":
        ids = ("change_config", "fix_tensor_size", "reduce_batch", "upgrade_driver")
        return prescribe(case, *ids, commands={"change_config": _XPU})
    return _raised(case, None)


def _unprinted(case: Case) -> Assessment | None:
    failure = case.failure
    if failure is None:
        return None
    says = f"{gib(failure.tried_bytes)} was refused with {gib(failure.free_bytes)} free: a limit that PyTorch 2.1 to 2.3 do not print"
    return _answer(case, FITS + 4, _raised(case, None), Evidence(source=str(failure.place), says=says))


def _answer(case: Case, strength: int, fixes: tuple[Fix, ...], *more: Evidence) -> Assessment:
    place = None if case.failure is None else case.failure.place
    evidence = (*failure_lines(case), *more, *rank_lines(case))
    return Assessment(strength=strength, evidence=evidence, at=place, fixes=fixes)


def _is_refused_with_room(case: Case) -> bool:
    """Whether free memory far exceeded the request, and the driver counts this process, which it does not on Windows."""
    failure = case.failure
    if failure is None or failure.process_bytes is None or not failure.tried_bytes or not failure.free_bytes:
        return False
    return failure.free_bytes >= _ROOM * failure.tried_bytes + GIB and not failure.is_expandable


def _raised(case: Case, share: float | None) -> tuple[Fix, ...]:
    line = f"torch.cuda.set_per_process_memory_fraction({min(1.0, (share or 0.95) + 0.02):.2f})"
    return prescribe(
        case, "raise_memory_limit", "reduce_batch", "change_config", commands={"raise_memory_limit": line}
    )


RULE = Rule(
    id="DS202",
    name="fraction-limit",
    cause="memory_fraction_limit",
    title="A configured limit refused, and not the card",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """torch.OutOfMemoryError: HIP out of memory. Tried to allocate 76.00 MiB. GPU 0 has a total capacity of 255.69 GiB of which 252.82 GiB is free. 1.20 GiB allowed; Of the allocated memory 1.14 GiB is allocated by PyTorch, and 18.63 MiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """Allocation on device 0 would exceed allowed memory. (out of memory)
Currently allocated     : 14.58 GiB
Requested               : 256.00 MiB
Device limit            : 16.00 GiB
Free (according to CUDA): 12.00 MiB
PyTorch limit (set by user-supplied memory fraction)
                        : 17179869184.00 GiB
""",
    ),
)

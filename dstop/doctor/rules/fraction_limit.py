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

from dstop.doctor.arithmetic import gib
from dstop.doctor.asking import failure_lines, rank_lines
from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.rule import FITS, PROVEN, SAYS_SO, Assessment, Rule
from dstop.model.diagnosis import Evidence
from dstop.units import GIB

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_BELOW = 0.98
_ROOM = 2
_JULIA = "export JULIA_CUDA_HARD_MEMORY_LIMIT=none"
_XPU = "export UR_L0_USE_RELAXED_ALLOCATION_LIMITS=1"
_MPS = "export PYTORCH_MPS_HIGH_WATERMARK_RATIO=0.0  # no limit; the system may swap"


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    if failure is None:
        return None
    evidence = [*failure_lines(case), *rank_lines(case)]
    if failure.family == "torch_fraction":
        return Assessment(
            strength=SAYS_SO, evidence=tuple(evidence), at=failure.place, fixes=_raised(case, None)
        )
    allowed = failure.allowed_bytes
    if failure.family == "julia" and allowed is not None:
        fixes = prescribe(
            case,
            "raise_memory_limit",
            "reduce_batch",
            "upgrade_version",
            commands={"raise_memory_limit": _JULIA},
        )
        return Assessment(strength=SAYS_SO - 4, evidence=tuple(evidence), at=failure.place, fixes=fixes)
    if failure.family == "mps":
        if allowed is None:
            return None
        fixes = prescribe(
            case,
            "raise_memory_limit",
            "reduce_batch",
            "use_smaller_model",
            "reduce_resolution",
            commands={"raise_memory_limit": _MPS},
        )
        return Assessment(strength=SAYS_SO - 4, evidence=tuple(evidence), at=failure.place, fixes=fixes)
    if failure.family == "block_limit":
        fixes = prescribe(
            case,
            "change_config",
            "fix_tensor_size",
            "reduce_batch",
            "upgrade_driver",
            commands={"change_config": _XPU},
        )
        return Assessment(strength=SAYS_SO - 4, evidence=tuple(evidence), at=failure.place, fixes=fixes)
    if allowed is None and _is_refused_with_room(case):
        says = f"{gib(failure.tried_bytes)} was refused with {gib(failure.free_bytes)} free: a limit that PyTorch 2.1 to 2.3 do not print"
        evidence.append(Evidence(source=str(failure.place), says=says, value=failure.free_bytes))
        return Assessment(
            strength=FITS + 4, evidence=tuple(evidence), at=failure.place, fixes=_raised(case, None)
        )
    if allowed is None or failure.total_bytes is None or allowed >= _BELOW * failure.total_bytes:
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
    evidence.append(Evidence(source=str(failure.place), says=says, value=allowed))
    return Assessment(
        strength=PROVEN + 10, evidence=tuple(evidence), at=failure.place, fixes=_raised(case, share)
    )


def _is_refused_with_room(case: Case) -> bool:
    """Whether free memory far exceeded the request, and the driver counts this process, which it does not on Windows."""
    failure = case.failure
    if failure is None or failure.process_bytes is None or not failure.tried_bytes or not failure.free_bytes:
        return False
    return failure.free_bytes >= _ROOM * failure.tried_bytes + GIB and not failure.is_expandable


def _raised(case: Case, share: float | None) -> tuple:  # type: ignore[type-arg]
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

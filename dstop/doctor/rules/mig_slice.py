"""A MIG slice, or hidden NVML, turns an out-of-memory error into an assertion

What it means
    When an allocation fails, PyTorch 2.1 to 2.12 ask NVML who holds the card. In a MIG slice, on Jetson and in containers without
    NVML that call fails, and the assertion about it replaces the error: it is an out-of-memory error in disguise.

Evidence
    `NVML_SUCCESS == r INTERNAL ASSERT FAILED` in CUDACachingAllocator.cpp; or a total far below the card's own size.

Fix
    A larger slice, a smaller job, or a PyTorch that only warns (2.14).

When it is wrong
    A broken driver installation makes NVML fail too: `nvidia-smi` tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import told_by
from dstop.doctor.rule import FITS, PROVEN, Assessment, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case


def _examine(case: Case) -> Assessment | None:
    sign = case.first("torch.nvml_assert")
    if sign is None:
        return None
    strength = PROVEN if case.says(r"\bMIG\b|\d+g\.\d+gb") else FITS + 5
    fixes = prescribe(
        case, "bigger_mig_slice", "reduce_batch", "quantize", "upgrade_version", "disable_nvml_check"
    )
    return Assessment(strength=strength, evidence=(told_by(sign),), at=sign.place, fixes=fixes)


RULE = Rule(
    id="DS403",
    name="mig-slice",
    cause="mig_slice",
    title="A MIG slice, or hidden NVML, hides an out-of-memory error",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        'RuntimeError: NVML_SUCCESS == r INTERNAL ASSERT FAILED at "../c10/cuda/CUDACachingAllocator.cpp":830, please report a bug to PyTorch.\n',
    ),
    near_miss=(
        'RuntimeError: !handles_.at(i) INTERNAL ASSERT FAILED at "../c10/cuda/driver_api.cpp":15, please report a bug to PyTorch.\n',
    ),
)

"""Requests are rounded up by more than they can spare

What it means
    The allocator rounds requests to 512 bytes; `roundup_power2_divisions` rounds them much further, up to the next power of two
    with 1. What is rounded away is allocated and used by nobody.

Evidence
    `memory_summary`, a black box or a snapshot tells what live tensors asked for beside what they were given: the difference is at least 5 % of it, and
    more than what was short.

Fix
    More divisions (8: at most an eighth is lost), or none of this setting.

When it is wrong
    Many tensors below 512 bytes are rounded up, too, but they do not add up to gigabytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.rule import PROVEN, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_PART = 0.05


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    if failure is None:
        return None
    lost = case.told_gap_bytes("allocated", "requested", part=_PART)
    if lost is None:
        return None
    given, asked = case.told_bytes("allocated"), case.told_bytes("requested")
    says = f"live tensors asked for {gib(asked)} and were given {gib(given)}: {gib(lost)} is rounding"
    return Assessment(
        strength=PROVEN,
        evidence=(
            *failure_lines(case),
            Evidence(source=str(failure.place), says=says, value=lost),
            *rank_lines(case),
        ),
        at=failure.place,
        fixes=prescribe(
            case,
            "lower_roundup_divisions",
            "expandable_segments",
            "reduce_batch",
            recovers={"lower_roundup_divisions": lost * 7 // 8},
        ),
    )


RULE = Rule(
    id="DS205",
    name="rounding-waste",
    cause="fragmentation",
    title="Requests are rounded up by more than they can spare",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """|===========================================================================|
|                  PyTorch CUDA memory summary, device ID 0                 |
|---------------------------------------------------------------------------|
|        Metric         | Cur Usage  | Peak Usage | Tot Alloc  | Tot Freed  |
|---------------------------------------------------------------------------|
| Allocated memory      |  36000 MiB |  37000 MiB |  90000 MiB |  60000 MiB |
|---------------------------------------------------------------------------|
| Active memory         |  36100 MiB |  38000 MiB |  90000 MiB |  60000 MiB |
|---------------------------------------------------------------------------|
| Requested memory      |  30000 MiB |  31000 MiB |  80000 MiB |  50000 MiB |
|---------------------------------------------------------------------------|
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of 39.39 GiB of which 310.50 MiB is free. Including non-PyTorch memory, this process has 39.08 GiB memory in use. Of the allocated memory 37.80 GiB is allocated by PyTorch, and 500.70 MiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """|===========================================================================|
|                  PyTorch CUDA memory summary, device ID 0                 |
|---------------------------------------------------------------------------|
|        Metric         | Cur Usage  | Peak Usage | Tot Alloc  | Tot Freed  |
|---------------------------------------------------------------------------|
| Allocated memory      |  36000 MiB |  37000 MiB |  90000 MiB |  60000 MiB |
|---------------------------------------------------------------------------|
| Active memory         |  36100 MiB |  38000 MiB |  90000 MiB |  60000 MiB |
|---------------------------------------------------------------------------|
| Requested memory      |  35900 MiB |  31000 MiB |  80000 MiB |  50000 MiB |
|---------------------------------------------------------------------------|
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of 39.39 GiB of which 310.50 MiB is free. Including non-PyTorch memory, this process has 39.08 GiB memory in use. Of the allocated memory 37.80 GiB is allocated by PyTorch, and 500.70 MiB is reserved by PyTorch but unallocated.
""",
    ),
)

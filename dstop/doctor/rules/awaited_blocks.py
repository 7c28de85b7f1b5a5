"""Memory is freed, and still waits for another stream

What it means
    A tensor that two streams use (`record_stream`; FSDP's all-gathers, NCCL, prefetch) is given back only when the second stream
    has passed it. While the host runs ahead, freed blocks pile up: active, and allocated to nobody.

Evidence
    `memory_summary`, a black box or a snapshot tells more active than allocated memory, by more than what was short and a tenth of it.

Fix
    `limit_all_gathers=True`, `TORCH_NCCL_AVOID_RECORD_STREAMS=1`, fewer prefetches (pytorch#83917 and #98354: 38.8 to 8.0 GB
    reserved).

When it is wrong
    A difference of a few hundred MiB is a normal step in flight.
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

_PART = 0.1


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    if failure is None:
        return None
    waits = case.told_gap_bytes("active", "allocated", part=_PART)
    if waits is None:
        return None
    active, given = case.told_bytes("active"), case.told_bytes("allocated")
    says = f"{gib(active)} is active and {gib(given)} allocated: {gib(waits)} is freed and waits for another stream"
    return Assessment(
        strength=PROVEN + 2,
        evidence=(
            *failure_lines(case),
            Evidence(source=str(failure.place), says=says, value=waits),
            *rank_lines(case),
        ),
        at=failure.place,
        fixes=prescribe(
            case, "limit_all_gathers", "wrap_per_layer", "reduce_batch", recovers={"limit_all_gathers": waits}
        ),
    )


RULE = Rule(
    id="DS206",
    name="awaited-blocks",
    cause="fragmentation",
    title="Memory is freed, and still waits for another stream",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """|===========================================================================|
|                  PyTorch CUDA memory summary, device ID 0                 |
|---------------------------------------------------------------------------|
|        Metric         | Cur Usage  | Peak Usage | Tot Alloc  | Tot Freed  |
|---------------------------------------------------------------------------|
| Allocated memory      |  24000 MiB |  37000 MiB |  90000 MiB |  60000 MiB |
|---------------------------------------------------------------------------|
| Active memory         |  36000 MiB |  38000 MiB |  90000 MiB |  60000 MiB |
|---------------------------------------------------------------------------|
| Requested memory      |  23900 MiB |  31000 MiB |  80000 MiB |  50000 MiB |
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

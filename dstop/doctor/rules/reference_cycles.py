"""Tensors are in reference cycles, and wait for the collector

What it means
    Python frees what nothing refers to at once, except in cycles: those wait for the cyclic collector, which counts objects and
    not gigabytes. A closure, an exception that is kept, a module that refers to its own output makes one.

Evidence
    PyTorch's own detector says so (`torch.utils.viz._cycles.warn_tensor_cycles`): "Reference cycle includes a CUDA Tensor".

Fix
    Break the cycle (weak references, `del`), or collect every few hundred steps.

When it is wrong
    If memory does not fall after `gc.collect()`, something still refers to it: that is a leak (DS301).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import failure_lines, rank_lines, told_by
from dstop.doctor.rule import PROVEN, Assessment, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case


def _examine(case: Case) -> Assessment | None:
    failure, sign = case.failure, case.first("torch.cycle")
    if failure is None or sign is None:
        return None
    return Assessment(
        strength=PROVEN + 3,
        evidence=(*failure_lines(case), told_by(sign), *rank_lines(case)),
        at=failure.place,
        fixes=prescribe(case, "break_cycles", "fix_leak_detach", "reduce_batch"),
    )


RULE = Rule(
    id="DS305",
    name="reference-cycles",
    cause="leak",
    title="Tensors are in reference cycles, and wait for the collector",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """WARNING:torch.utils.viz._cycles:Reference cycle includes a CUDA Tensor see visualization of cycle /tmp/tmpx2.html
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of 39.39 GiB of which 310.50 MiB is free. Including non-PyTorch memory, this process has 39.08 GiB memory in use. Of the allocated memory 37.80 GiB is allocated by PyTorch, and 500.70 MiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of 39.39 GiB of which 310.50 MiB is free. Including non-PyTorch memory, this process has 39.08 GiB memory in use. Of the allocated memory 37.80 GiB is allocated by PyTorch, and 500.70 MiB is reserved by PyTorch but unallocated.
""",
    ),
)

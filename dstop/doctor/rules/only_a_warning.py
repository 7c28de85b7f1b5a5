"""A warning about memory, and no failure

What it means
    The log speaks of memory, and nothing in it failed: an estimate, a notice, a request that was put back, a cache that was
    flushed, a setting that this platform does not have.

Evidence
    A message that is known to be harmless, no refused allocation, no error, no kill.

Fix
    None is needed.

When it is wrong
    If the log is cut off, the failure may stand behind its end, or in another rank's log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.aftermath import FAULTS, NAMED_KILLS, SILENT_KILLS
from dstop.doctor.questions.asking import told_by
from dstop.doctor.rule import DEFAULT, FITS, PROVEN, Assessment, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_STRENGTHS = {
    "benign.bfc": PROVEN,
    "benign.retry": FITS,
    "benign.batch_finder": FITS,
    "benign.skipped_batch": FITS,
    "benign.fallback": FITS,
    "benign.tactic": FITS,
    "benign.autotune": FITS,
    "benign.system_memory": FITS,
    "benign.preempted": FITS - 5,
    "benign.alloc_conf": FITS - 5,
    "deepspeed.cache_flushes": FITS - 5,
    "benign.pressure": DEFAULT + 10,
    "benign.low": DEFAULT + 5,
    "benign.pin": DEFAULT + 5,
    "benign.deprecated": DEFAULT + 2,
    "benign.estimate": DEFAULT,
    "benign.leaked": DEFAULT,
    "benign.exit": DEFAULT,
    "benign.words": DEFAULT,
    "other.context_warning": DEFAULT,
}
_ENDS = (
    *FAULTS,
    *NAMED_KILLS,
    *SILENT_KILLS,
    "benign.gave_up",
    "torch.elastic_root",
    "nccl.watchdog",
    "driver.mismatch",
)


def _examine(case: Case) -> Assessment | None:
    signs = case.all(*_STRENGTHS)
    if not signs or case.has(*_ENDS) or any(one.failures or one.host_failures for one in case.found):
        return None
    if any(one.error is not None for one in case.traces):
        return None
    sign = max(signs, key=lambda one: (_STRENGTHS[one.kind], -one.place.order))
    return Assessment(
        strength=_STRENGTHS[sign.kind],
        evidence=(told_by(sign),),
        at=sign.place,
        fixes=prescribe(case, "ignore_warning"),
    )


RULE = Rule(
    id="DS932",
    name="only-a-warning",
    cause="benign_warning",
    title="A warning about memory, and no failure",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        "2025-01-15 11:53:31.484732: W tensorflow/core/common_runtime/bfc_allocator.cc:211] Allocator (GPU_0_bfc) ran out of memory trying to allocate 23.74MiB. The caller indicates that this is not a failure, but may mean that there could be performance gains if more memory were available.\n",
        "[2024-03-01 10:11:12,123] [WARNING] [stage3.py:1850:step] 2 pytorch allocator cache flushes since last step. this happens when there is high memory pressure and is detrimental to performance.\n",
        "2025-01-15 11:53:31.484732: W external/local_tsl/tsl/framework/cpu_allocator_impl.cc:83] Allocation of 411041792 exceeds 10% of free system memory.\n",
        "UserWarning: expandable_segments not supported on this platform (Triggered internally at ../c10/cuda/CUDAAllocatorConfig.h:28.)\n",
    ),
    near_miss=(
        """UserWarning: expandable_segments not supported on this platform (Triggered internally at ../c10/cuda/CUDAAllocatorConfig.h:28.)
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of 23.57 GiB of which 310.50 MiB is free. Including non-PyTorch memory, this process has 23.25 GiB memory in use. Of the allocated memory 22.41 GiB is allocated by PyTorch, and 401.20 MiB is reserved by PyTorch but unallocated.
""",
        "Epoch 3: 40%|████      | 410/1024 [02:11<03:17, 3.11it/s, loss=0.41]\n",
    ),
)

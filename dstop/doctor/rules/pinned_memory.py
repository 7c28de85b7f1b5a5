"""Page-locked host memory was refused

What it means
    Fast copies to a card need host memory that the system may not move. It is taken in large pieces (PyTorch rounds up to a
    power of two), cannot be swapped, and is refused while plenty of ordinary memory is left. CUDA reports it with the same
    words as a full card.

Evidence
    `could not allocate pinned host memory`, `failed to alloc N bytes on host: CUDA_ERROR_OUT_OF_MEMORY`, cudaHostAlloc,
    cudaMallocHost or cudaHostRegister that fails, or `CUDA error: out of memory` raised in pin_memory.

Fix
    Pin less: smaller batches and fewer workers, `pin_memory=False`, no pinned offload buffers; more host memory. WSL allows
    half of the machine. Many registered pieces run into vm.max_map_count (65530): raise it, or expose one card a process.

When it is wrong
    The same words without `host` and outside pin_memory mean the card (DS101 and on).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.host import host_fixes
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.rule import FITS, PROVEN, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_PINS = r"pin_memory|_pin_memory_loop|cudaHostRegister|cudaHostAlloc|pinned"


def _examine(case: Case) -> Assessment | None:
    refused = [one for one in case.host_failures if one.family == "pinned"]
    if refused:
        told = max(refused, key=lambda one: (one.tried_bytes or 0, -one.place.order))
        evidence = [Evidence(source=str(told.place), says=told.text, value=told.tried_bytes)]
        if told.tried_bytes:
            says = (
                f"{gib(told.tried_bytes)} of page-locked host memory was refused; no GPU memory is involved"
            )
            evidence.append(Evidence(source=str(told.place), says=says, value=told.tried_bytes))
        return _answer(case, PROVEN + 6, tuple(evidence), refused[0].place.order)
    failure = case.failure
    if failure is None or failure.total_bytes is not None or failure.family != "cuda":
        return None
    frame = case.in_frames(_PINS)
    if frame is None:
        return None
    evidence = [
        Evidence(source=str(failure.place), says=failure.text),
        Evidence(
            source=str(failure.place),
            says=f"raised in {frame.function} ({frame.file}:{frame.line}): the host's memory",
        ),
    ]
    return _answer(case, PROVEN - 2, tuple(evidence), failure.place.order)


def _answer(case: Case, strength: int, evidence: tuple[Evidence, ...], order: int) -> Assessment:
    place = next(
        (one.place for one in (*case.host_failures, *case.failures) if one.place.order == order), None
    )
    registers = case.says(r"cudaHostRegister|max_map_count") or case.has("host.map_count")
    first: tuple[str, ...] = (
        "increase_host_ram",
        "reduce_batch",
        "reduce_dataset_in_ram",
        "reduce_num_workers",
    )
    if case.has("sglang.host_pool") or case.says(r"hierarchical|hicache"):
        first = ("reduce_host_cache_size", "raise_memory_limit", "increase_host_ram")
    elif registers:
        first = ("one_gpu_per_rank", "raise_max_map_count", "increase_host_ram", "reduce_batch")
    elif case.framework == "deepspeed":
        first = ("increase_host_ram", "nvme_offload", "disable_param_offload", "reduce_batch")
    return Assessment(
        strength=max(strength, FITS),
        evidence=evidence,
        at=place,
        subcause="pinned_host_memory",
        fixes=host_fixes(case, first=first),
    )


RULE = Rule(
    id="DS707",
    name="pinned-memory",
    cause="host_ram_oom",
    title="Page-locked host memory was refused",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """2025-01-15 09:22:17.233584: W tensorflow/core/common_runtime/device/device_host_allocator.h:46] could not allocate pinned host memory of size: 34359738368
2025-01-15 09:22:17.233972: E tensorflow/stream_executor/cuda/cuda_driver.cc:802] failed to alloc 34359738368 bytes on host: CUDA_ERROR_OUT_OF_MEMORY: out of memory
""",
        """  File "/opt/venv/lib/python3.11/site-packages/torch/utils/data/_utils/pin_memory.py", line 61, in pin_memory
    return data.pin_memory(device)
RuntimeError: CUDA error: out of memory
CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect.
""",
    ),
    near_miss=(
        """  File "/home/u/train.py", line 88, in forward
    return self.net(x)
RuntimeError: CUDA error: out of memory
CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect.
""",
    ),
)

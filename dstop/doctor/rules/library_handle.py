"""cuBLAS, cuDNN or a solver could not start: no GPU memory was left for it

What it means
    These libraries allocate their handles and workspaces themselves, beside PyTorch's allocator, and fail in their own words
    when the card is full. A cache that PyTorch keeps is no memory to them.

Evidence
    `CUBLAS_STATUS_ALLOC_FAILED`, `CUDNN_STATUS_ALLOC_FAILED`, or a handle that cannot be created (`NOT_INITIALIZED`), with no
    device-side assertion before it.

Fix
    Leave room: a smaller batch or model, no other process on the card, a cap on PyTorch's share set early.

When it is wrong
    An index out of range kills the context first, and then every handle fails: an assertion above it decides (DS902). After an
    out-of-memory error of PyTorch it is aftermath.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import told_by
from dstop.doctor.rule import FITS, PROVEN, SUGGESTS, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case


def _examine(case: Case) -> Assessment | None:
    named = case.first("torch.cublas_alloc", "torch.cudnn_alloc")
    unsaid = case.first("torch.cublas_init", "torch.cudnn_init", "torch.cusolver", "torch.find_engine")
    sign = named or unsaid
    if sign is None or case.has("fault.assert", "fault.assert_line", "fault.illegal_access"):
        return None
    failure = case.failure
    if failure is not None and failure.place.order < sign.place.order:
        return None
    if _has_room(case):
        return None
    strength = PROVEN if named is not None else FITS - 2
    if named is None and case.has("driver.mismatch", "driver.too_old"):
        strength = SUGGESTS - 10
    evidence = [told_by(sign)]
    frame = next((frame for frame in reversed(case.frames) if "site-packages" not in frame.file), None)
    if frame is not None:
        evidence.append(
            Evidence(source=str(sign.place), says=f"{frame.file}:{frame.line} in {frame.function}")
        )
    return Assessment(
        strength=strength, evidence=tuple(evidence), at=sign.place, fixes=prescribe(case, *_fixes(case))
    )


def _has_room(case: Case) -> bool:
    """Whether the library itself says that much of the card is free, as XLA does when a handle fails."""
    room = case.first("torch.memory_usage")
    free, total = (None, None) if room is None else (room.number("free_bytes"), room.number("total_bytes"))
    return free is not None and total is not None and free > total // 4


def _fixes(case: Case) -> tuple[str, ...]:
    if case.framework in {"tensorflow", "jax"}:
        return ("kill_other_process", "reduce_batch", "lower_gpu_memory_utilization", "upgrade_version")
    if case.phase in {"inference", "load"}:
        return ("kill_other_process", "quantize", "reduce_batch", "bigger_gpu")
    if case.framework == "llama.cpp":
        return ("reduce_gpu_layers", "kv_cache_quant", "reduce_max_model_len")
    return ("reduce_batch", "kill_other_process", "bigger_gpu", "use_smaller_model")


RULE = Rule(
    id="DS106",
    name="library-handle",
    cause="library_handle_oom",
    title="A CUDA library could not start: no GPU memory was left for it",
    page=__doc__ or "",
    examine=_examine,
    fires=("RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`\n",),
    near_miss=(
        """../aten/src/ATen/native/cuda/Indexing.cu:1146: indexSelectLargeIndex: block: [16,0,0], thread: [0,0,0] Assertion `srcIndex < srcSelectDimSize` failed.
RuntimeError: CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`
""",
    ),
)

"""The program refuses a setting

What it means
    A setting does not fit the model, the card or the version: sizes that must divide each other, an option that is not
    known, an operation that a CUDA graph cannot hold.

Evidence
    The message names the setting: `must be divisible by`, `unrecognized arguments`, `validation error`, `operation not
    permitted when stream is capturing`.

Fix
    Change that setting; during capture, run without CUDA graphs or leave out the operation that waits.

When it is wrong
    A refused allocation during capture also ends it: then it is memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.questions.innocent import not_memory
from dstop.doctor.rule import PROVEN, SUGGESTS, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.rule import Assessment


def _examine(case: Case) -> Assessment | None:
    captured = case.first("other.graph_capture_op")
    sign = captured or case.first(
        "other.setting", "other.divisible", "other.shape", "other.dtype", "other.training", "other.nan"
    )
    if sign is None:
        return None
    if captured is not None:
        fix = "enforce_eager" if case.framework == "vllm" else "disable_cuda_graph"
        return not_memory(
            case,
            sign,
            PROVEN,
            (fix, "change_config", "upgrade_version"),
            title="An operation cannot be captured in a CUDA graph",
        )
    if sign.kind in {"other.shape", "other.dtype"}:
        return not_memory(
            case,
            sign,
            PROVEN - 5,
            ("fix_tensor_size", "change_config", "upgrade_version", "pin_version"),
            title="Shapes or types of tensors do not fit",
        )
    if sign.kind in {"other.training", "other.nan"}:
        strength = PROVEN - 5 if sign.kind == "other.training" else SUGGESTS
        return not_memory(
            case,
            sign,
            strength,
            ("change_config", "upgrade_version", "mixed_precision"),
            title="Training failed for its own reasons",
        )
    strength = PROVEN if case.traces or sign.kind == "other.setting" else SUGGESTS
    return not_memory(case, sign, strength, ("change_config", "upgrade_version", "pin_version"))


RULE = Rule(
    id="DS921",
    name="refused-setting",
    cause="not_memory",
    title="The program refuses a setting",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """Traceback (most recent call last):
  File "/app/a.py", line 3, in <module>
    LLM(m, tensor_parallel_size=3)
ValueError: Total number of attention heads (40) must be divisible by tensor parallel size (3).
""",
        """usage: api_server.py [-h]
api_server.py: error: unrecognized arguments: --gpu-memory-utilisation 0.9
""",
        "RuntimeError: mat1 and mat2 shapes cannot be multiplied (4x768 and 1024x512)\n",
    ),
    near_miss=(
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of 23.57 GiB of which 310.50 MiB is free. Including non-PyTorch memory, this process has 23.25 GiB memory in use. Of the allocated memory 22.41 GiB is allocated by PyTorch, and 401.20 MiB is reserved by PyTorch but unallocated.\n",
    ),
)

"""Weights are held in 32 bits where 16 were meant

What it means
    Without a dtype a model is loaded in float32: four bytes a parameter, twice what its files hold.

Evidence
    What is allocated while loading nears 4 bytes x the parameters that the log names, on a card that would hold 2 bytes x them.

Fix
    `dtype=torch.bfloat16` at load, autocast in training.

When it is wrong
    A quantised model that is dequantised on the way in looks alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.rule import FITS, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_HALF_BYTES, _FULL_BYTES = 2, 4
_ROOM = 0.92


def _examine(case: Case) -> Assessment | None:
    failure, parameters = case.failure, case.number("parameters")
    if (
        failure is None
        or not parameters
        or failure.total_bytes is None
        or failure.allocated_bytes is None
        or case.phase != "load"
    ):
        return None
    if (
        case.flag("bf16")
        or case.flag("fp16")
        or case.flag("quantized")
        or (case.number("world_size") or 1) > 1
    ):
        return None
    half, full = parameters * _HALF_BYTES, parameters * _FULL_BYTES
    if not half < _ROOM * failure.total_bytes < full or failure.allocated_bytes < 1.1 * half:
        return None
    says = f"{parameters:,} parameters take {gib(full)} in 32 bits and {gib(half)} in 16; {gib(failure.allocated_bytes)} was loaded, the card has {gib(failure.total_bytes)}"
    return Assessment(
        strength=FITS + 8,
        evidence=(
            *failure_lines(case),
            Evidence(source=str(failure.place), says=says, value=full),
            *rank_lines(case),
        ),
        at=failure.place,
        fixes=prescribe(
            case,
            "mixed_precision",
            "quantize",
            "shard_more_gpus",
            recovers={"mixed_precision": full - half, "quantize": full - half // 2},
            commands={"mixed_precision": "from_pretrained(…, torch_dtype=torch.bfloat16)"},
        ),
    )


RULE = Rule(
    id="DS110",
    name="full-precision",
    cause="capacity_weights",
    title="Weights are held in 32 bits where 16 would fit",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """python run.py --model meta-llama/Llama-2-13b-hf
  File "/opt/venv/lib/python3.11/site-packages/transformers/modeling_utils.py", line 4245, in from_pretrained
    ) = cls._load_pretrained_model(
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 270.00 MiB. GPU 0 has a total capacity of 39.39 GiB of which 201.38 MiB is free. Including non-PyTorch memory, this process has 39.18 GiB memory in use. Of the allocated memory 38.60 GiB is allocated by PyTorch, and 1.62 MiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """python run.py --model meta-llama/Llama-2-70b-hf
  File "/opt/venv/lib/python3.11/site-packages/transformers/modeling_utils.py", line 4245, in from_pretrained
    ) = cls._load_pretrained_model(
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 270.00 MiB. GPU 0 has a total capacity of 39.39 GiB of which 201.38 MiB is free. Including non-PyTorch memory, this process has 39.18 GiB memory in use. Of the allocated memory 38.60 GiB is allocated by PyTorch, and 1.62 MiB is reserved by PyTorch but unallocated.
""",
    ),
)

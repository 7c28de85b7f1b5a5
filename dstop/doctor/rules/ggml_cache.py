"""llama.cpp: the KV cache of this context does not fit beside the weights

What it means
    The whole cache is allocated at start: 2 x layers x KV heads x head size x context x bytes, for all parallel slots together.
    Weights had found their place, the cache did not.

Evidence
    `failed to allocate buffer for kv cache`, `llama_kv_cache_init() failed for self-attention cache`, with the size of the
    buffer and the context (`n_ctx`) above it.

Fix
    A shorter context: the cache shrinks in proportion. Or 8-bit keys and values, fewer layers on the card, fewer slots.

When it is wrong
    If a few hundred MiB of cache fail, the weights have taken the card, and fewer layers are the answer (DS512).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import failure_lines, told_by
from dstop.doctor.questions.ggml import device_free_bytes, refused_buffer
from dstop.doctor.rule import PROVEN, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_STEP = 1024


def _examine(case: Case) -> Assessment | None:
    buffer = refused_buffer(case)
    if buffer is None or buffer.use != "cache":
        return None
    evidence = [*failure_lines(case), told_by(buffer.sign)]
    length, free = _length(case), device_free_bytes(case)
    commands: dict[str, str] = {}
    if length:
        fits = _fits(length, buffer.size, free)
        if buffer.size:
            says = f"{length:,} tokens take {gib(buffer.size)}: {buffer.size / length / 1024:.1f} KiB a token"
            evidence.append(Evidence(source=str(buffer.sign.place), says=says, value=buffer.size))
        commands["reduce_max_model_len"] = (
            f"PARAMETER num_ctx {fits}" if case.framework == "ollama" else f"-c {fits}"
        )
    return Assessment(
        strength=PROVEN + 9,
        evidence=tuple(evidence),
        at=buffer.place,
        title=f"The KV cache of {gib(buffer.size)} does not fit beside the weights" if buffer.size else None,
        fixes=prescribe(
            case,
            "reduce_max_model_len",
            "reduce_gpu_layers",
            "kv_cache_quant",
            "reduce_max_num_seqs",
            "use_smaller_model",
            recovers={"kv_cache_quant": None if buffer.size is None else buffer.size * 15 // 32},
            commands=commands,
        ),
    )


def _length(case: Case) -> int | None:
    sign = case.first("ggml.context")
    return sign.number("length_count") if sign is not None else case.number("max_model_len")


def _fits(length: int, size: int | None, free: int | None) -> int:
    """Give a context that fits, in whole thousands; without figures half of what was asked for."""
    fits = length // 2 if not size or free is None or free >= size else int(length * free / size * 0.9)
    return max(_STEP, fits // _STEP * _STEP)


RULE = Rule(
    id="DS514",
    name="ggml-cache",
    cause="kv_cache_max_len",
    title="The KV cache of this context does not fit beside the weights",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """llama_new_context_with_model: n_ctx      = 131072
ggml_backend_cuda_buffer_type_alloc_buffer: allocating 16384.00 MiB on device 0: cudaMalloc failed: out of memory
alloc_tensor_range: failed to allocate CUDA0 buffer of size 17179869184
llama_init_from_model: failed to initialize the context: failed to allocate buffer for kv cache
""",
    ),
    near_miss=(
        """ggml_backend_cuda_buffer_type_alloc_buffer: allocating 16384.00 MiB on device 0: cudaMalloc failed: out of memory
alloc_tensor_range: failed to allocate CUDA0 buffer of size 17179869184
llama_model_load: error loading model: unable to allocate CUDA0 buffer
""",
    ),
)

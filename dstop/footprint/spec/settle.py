"""What was not said, decided once: each choice is what the framework itself would do, and is written down."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.model.footprint import Assumption

if TYPE_CHECKING:
    from dstop.footprint.spec.values import Spec

TRAINING_SEQUENCE = 4096
SERVING = ("vllm", "sglang")
UTILIZATION = {"vllm": 0.9, "sglang": 0.88}
"""Share of the card that an engine takes unless told: vLLM's `gpu_memory_utilization` (0.9; 0.92 since 0.12), SGLang's
`mem_fraction_static` (0.88 on cards of 80 GB; it depends on the card)."""


def _cache(spec: Spec, framework: str) -> str:
    """Give the format in which keys and values are cached unless told: the dtype that is computed in.

    DeepSeek-V3.2 in vLLM: `fp8_ds_mla` (its `DeepseekV32ForCausalLM` config); DeepSeek-V4's compressed entries: 8 bits.
    """
    attention = spec.architecture.layers[0].attention
    if attention.kind == "compressed":
        return "fp8"
    if attention.kind == "mla" and attention.indexer is not None and framework == "vllm":
        return "fp8_ds_mla"
    if framework == "llama.cpp":
        return "fp16"
    if spec.weights in {"fp32", "fp16", "bf16"}:
        return str(spec.weights)
    dtype = spec.architecture.dtype
    served = framework in {"vllm", "sglang"} or spec.weights not in {None, "native"}
    return "bf16" if dtype == "fp32" and served else dtype


def settle(spec: Spec) -> tuple[Spec, tuple[Assumption, ...]]:
    """Give the spec with every field that the arithmetic needs, and the list of what was taken for granted.

    After it `weights`, `kv_cache`, `sequence`, `attention` and `framework` are set, and in training `gradients`,
    `master_weights` and `optimizer_state` too.
    """
    taken: list[Assumption] = []
    changes: dict[str, object] = {}

    def take(field: str, value: object, says: str, source: str = "default") -> None:
        if getattr(spec, field) is None:
            changes[field] = value
            taken.append(Assumption(subject=field, says=says, source=source))

    training = spec.phase == "training"
    take(
        "framework",
        "pytorch" if training else "hf",
        "plain PyTorch" if training else "Hugging Face transformers",
    )
    dtype = spec.architecture.dtype
    if spec.lora is not None:
        take("weights", spec.lora.base, f"frozen weights in {spec.lora.base}, as the adapter's base says")
    said = spec.architecture.quantization
    stored = dtype if training or said is None else said.method
    take("weights", dtype if training else "native", f"weights as in the checkpoint ({stored})", "config")
    take("attention", "sdpa", "attention that keeps no score matrix (SDPA or flash)")
    positions = spec.architecture.positions
    length = min(TRAINING_SEQUENCE, positions) if positions else TRAINING_SEQUENCE
    take("sequence", spec.max_model_len or length, f"{spec.max_model_len or length} tokens a sequence")
    if positions and (spec.sequence or 0) > positions:
        says = f"{spec.sequence:,} tokens, more than the {positions:,} positions of the model"
        taken.append(Assumption(subject="sequence", says=says, source="config"))
    framework = str(changes.get("framework") or spec.framework)
    cache = _cache(spec, framework)
    if not training:
        take("kv_cache", cache, f"keys and values are cached in {cache}")
    elif spec.kv_cache is None:
        changes["kv_cache"] = cache  # training caches nothing: there is nothing to say
    if spec.kv_cache == "fp8" and cache == "fp8_ds_mla":
        changes["kv_cache"] = cache  # vLLM's name for 8 bits where attention is sparse
    if training:
        weights = str(changes.get("weights") or spec.weights)
        half = weights in {"bf16", "fp16"}
        take("master_weights", False, "no fp32 copy of the weights")
        master = bool(spec.master_weights)
        take("gradients", "fp32" if not half else weights, f"gradients in the weights' precision ({weights})")
        state = "fp32" if master or not half else weights
        take(
            "optimizer_state", state, f"moments in {state}, as the optimizer makes them from what it is given"
        )
    return replace(spec, **changes), tuple(taken)  # type: ignore[arg-type]

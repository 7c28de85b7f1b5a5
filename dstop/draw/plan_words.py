"""A configuration in words: its layout, its settings, and how each part comes about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.footprint.spec.values import Parallel, Spec
    from dstop.model.footprint import Footprint

OPTIMIZERS = {
    "adamw": "AdamW",
    "adam": "Adam",
    "adamw8bit": "8-bit AdamW",
    "adamw4bit": "4-bit AdamW",
    "adafactor": "Adafactor",
    "sgd": "SGD",
    "lion": "Lion",
    "muon": "Muon",
}
FRAMEWORKS = {
    "pytorch": "PyTorch",
    "hf": "transformers",
    "vllm": "vLLM",
    "sglang": "SGLang",
    "megatron": "Megatron-LM",
    "deepspeed": "DeepSpeed",
}
_CHECKPOINTING = {
    "none": "no checkpointing",
    "selective": "selective checkpointing",
    "full": "full checkpointing",
    "offload": "checkpoints on the CPU",
}


def layout_text(parallel: Parallel) -> str:
    """Write a layout: `tp 8 · pp 4 · dp 2 · ZeRO 1`; one GPU is said so."""
    parts = [
        f"{name} {ways}" for name in ("tp", "pp", "dp", "cp", "ep") if (ways := getattr(parallel, name)) > 1
    ]
    if parallel.vpp > 1:
        parts.append(f"vpp {parallel.vpp}")
    if parallel.zero:
        parts.append(f"ZeRO {parallel.zero}")
    if parallel.sequence_parallel and parallel.tp > 1:
        parts.append("sequence parallel")
    return " · ".join(parts) or "one GPU"


def settings_text(spec: Spec) -> str:
    """Write the settings that decide about memory; the spec is settled."""
    held = spec.weights if spec.lora is None else f"{spec.lora.base}, frozen"
    parts = [_framework(spec), f"weights {held}"]
    if spec.phase == "training":
        if spec.lora is not None:
            parts.append(f"LoRA rank {spec.lora.rank}")
        parts.append(OPTIMIZERS.get(spec.optimizer, spec.optimizer))
        if spec.master_weights:
            parts.append("fp32 master copy")
        parts.append(checkpointing_text(spec))
    else:
        parts.append(f"KV cache {spec.kv_cache}")
    parts.append(f"{spec.attention} attention")
    return " · ".join(part for part in parts if part)


def _framework(spec: Spec) -> str:
    return FRAMEWORKS.get(spec.framework or "", spec.framework or "")


def checkpointing_text(spec: Spec) -> str:
    """Write what is recomputed."""
    if isinstance(spec.checkpointing, tuple):
        return f"recomputes {', '.join(spec.checkpointing)}"
    return _CHECKPOINTING[spec.checkpointing]


def load_text(spec: Spec) -> str:
    """Write batch and length: `batch 2 × 4,096 tokens`."""
    return f"batch {spec.batch:,} × {spec.sequence or 0:,} tokens"


def part_notes(spec: Spec, footprint: Footprint) -> Mapping[str, str]:
    """Say in a few words how each part comes about; the spec is settled."""
    zero, replicas = spec.parallel.zero, spec.parallel.replicas
    training = spec.phase == "training"

    def sharded(stage: int) -> str:
        return f", sharded over {replicas}" if training and zero >= stage and replicas > 1 else ""

    split = f" / tp {spec.parallel.tp}" if spec.parallel.tp > 1 else ""
    state = f"{OPTIMIZERS.get(spec.optimizer, spec.optimizer)}, {spec.optimizer_state}"
    if spec.master_weights:
        state += " + fp32 copy"
    return {
        "weights": f"{_weights(spec)}{split}{sharded(3)}",
        "gradients": f"{spec.gradients}{sharded(2)}",
        "optimizer": f"{state}{sharded(1)}",
        "activations": checkpointing_text(spec) if training else f"one pass ({footprint.per_gpu.peak_at})",
        "logits": f"vocabulary {spec.architecture.vocab:,}{split}",
        "kv_cache": _cache(spec, footprint),
        "workspace": "libraries, temporaries",
        "reserved_unallocated": "allocator: rounding, gaps",
        "context": "CUDA, NCCL" if footprint.gpus > 1 else "CUDA",
    }


def _weights(spec: Spec) -> str:
    if spec.lora is not None:
        return f"{spec.lora.base}, and adapters"
    if spec.weights != "native":
        return str(spec.weights)
    found = spec.architecture.quantization
    return f"as published: {found.method if found is not None else spec.architecture.dtype}"


def _cache(spec: Spec, footprint: Footprint) -> str:
    if spec.gpu is not None and spec.framework in {"vllm", "sglang"}:
        return f"{_framework(spec)}'s pool on {spec.gpu}"
    return f"{spec.kv_cache}, {bytes_text(footprint.kv_bytes_per_token)} a token"

"""What serving engines make of the weights while they load."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.footprint.allocator import unsplit, unsplit_equal, unused_equal
from dstop.footprint.sharding import held

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dstop.footprint.architecture.values import Architecture, Attention, Tensor
    from dstop.footprint.scheme import Scheme
    from dstop.footprint.spec.values import Spec
    from dstop.footprint.stages import Stage

UBATCH = 512
"""llama.cpp's `n_ubatch`: tokens of one pass."""
VOCABULARY = 64
"""vLLM and SGLang pad the vocabulary to a multiple of it (`DEFAULT_VOCAB_PADDING_SIZE`)."""


def pad_vocabulary(tensors: Iterable[Tensor], spec: Spec) -> Iterator[Tensor]:
    """Give the tensors around the layers as the engine allocates them."""
    pads = spec.framework in {"vllm", "sglang"}
    cpu = spec.framework == "llama.cpp" and not spec.architecture.tied
    for tensor in tensors:
        if cpu and tensor.role == "embedding":
            continue  # llama.cpp looks tokens up on the CPU; a tied head is the one copy that it loads on the GPU
        if pads and tensor.split == "vocab" and tensor.shape[0] % VOCABULARY:
            yield replace(tensor, shape=(-(-tensor.shape[0] // VOCABULARY) * VOCABULARY, *tensor.shape[1:]))
        else:
            yield tensor


_MANY = 8
"""Experts of one size from which on they fill segments of their own."""
_FUSED = {"q_proj": "qkv", "k_proj": "qkv", "v_proj": "qkv", "gate_proj": "gate_up", "up_proj": "gate_up"}
"""Projections that vLLM and SGLang keep in one tensor."""


def unsplit_weights(spec: Spec, tensors: Iterable[Tensor], scheme: Scheme) -> float:
    """Give what the allocator hands out beyond the weights: the ends of their segments (`allocator.unsplit`).

    Tensors are as the framework makes them: one each in transformers, where experts are modules of their own; q, k, v
    and gate, up in one, and all experts in one, in vLLM and SGLang.
    """
    if spec.framework == "llama.cpp":
        return 0.0
    fuses = spec.framework in {"vllm", "sglang"}
    total = 0.0
    fused: dict[tuple[str, str], float] = {}
    for tensor in tensors:
        count, shape = held(tensor, spec.parallel)
        size = scheme.of(tensor).bits / 8
        for dimension in shape:
            size *= dimension
        if not fuses:
            total += count * (unsplit_equal(size) if count >= _MANY else unsplit(size))
            continue
        last = tensor.name.rsplit(".", 1)[-1]
        key = (tensor.role, _FUSED.get(last, tensor.name))
        fused[key] = fused.get(key, 0.0) + count * size
    return total + sum(unsplit(size) for size in fused.values())


def unused_segments(spec: Spec, stage: Stage, scheme: Scheme) -> int:
    """Give what lies between the experts of transformers, which are modules of their own, in segments of 20 MiB."""
    total = 0.0
    for layer, many in stage.alike:
        for tensor in layer.tensors:
            if tensor.role != "expert":
                continue
            count, shape = held(tensor, spec.parallel)
            if count >= _MANY:
                size = scheme.of(tensor).bits / 8
                for dimension in shape:
                    size *= dimension
                total += many * count * unused_equal(size)
    return int(total)


def engine_weights(spec: Spec, stage: Stage, *, quantized: bool) -> int:
    """Give what an engine holds beside the tensors of the checkpoint once it has loaded it.

    The table of rotary cosines and sines, one for all layers: positions x rotary dimensions x 2 bytes
    (`RotaryEmbedding.cos_sin_cache`; vLLM's log of Llama-3.1-8B is 32.02 MiB above its parameters, the table is 32
    MiB). For latent attention the two absorbed halves of kv_b in 16 bits, 2 x kv_rank x heads x (nope + value)
    bytes a layer: vLLM's are views unless kv_b is quantized (`MLACommonImpl.process_weights_after_loading`), SGLang's
    are copies always (`post_load_weights` of its deepseek_v2).
    """
    if spec.framework not in {"vllm", "sglang"}:
        return _causal_masks(spec, stage)
    total = rotary_table(spec.architecture)
    if quantized or spec.framework == "sglang":
        for layer, count in stage.alike:
            attention = layer.attention
            if attention.kind == "mla" and spec.mla_cache == "latent":
                total += count * absorbed(attention) // spec.parallel.tp
    return total


def _causal_masks(spec: Spec, stage: Stage) -> int:
    """Give the causal masks that GPT-2 of transformers keeps as buffers: positions x positions bools a layer."""
    if spec.architecture.family != "gpt2" or spec.framework == "llama.cpp":
        return 0
    return len(stage.layers) * (spec.architecture.positions or 0) ** 2


def absorbed(attention: Attention) -> int:
    """Give the bytes of W_UK and W_UV of one layer in 16 bits, over all ranks."""
    nope = attention.head_dim - attention.rope_dim
    return 2 * attention.kv_rank * attention.heads * (nope + attention.value_dim)


def rotary_table(architecture: Architecture) -> int:
    """Give the bytes of the table of cosines and sines in 16 bits; 0 for learned positions."""
    if any(tensor.role == "position" for tensor in architecture.embedding):
        return 0
    attention = architecture.layers[0].attention
    width = attention.rope_dim or attention.head_dim
    return (architecture.positions or 0) * width * 2

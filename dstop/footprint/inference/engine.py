"""What serving engines make of the weights while they load, and the sizes that they take unless told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dstop.footprint.architecture.values import Architecture, Attention, Tensor
    from dstop.footprint.spec.values import Spec
    from dstop.footprint.stages import Stage

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


def engine_weights(spec: Spec, stage: Stage, *, quantized: bool) -> int:
    """Give what an engine holds beside the tensors of the checkpoint once it has loaded it.

    The table of rotary cosines and sines, one for all layers: positions x rotary dimensions x 2 bytes
    (`RotaryEmbedding.cos_sin_cache`; vLLM's log of Llama-3.1-8B is 32.02 MiB above its parameters, the table is 32
    MiB). For latent attention the two absorbed halves of kv_b in 16 bits, 2 x kv_rank x heads x (nope + value)
    bytes a layer: vLLM's are views unless kv_b is quantized (`MLACommonImpl.process_weights_after_loading`), SGLang's
    are copies always (`post_load_weights` of its deepseek_v2).
    """
    if spec.framework not in {"vllm", "sglang"}:
        return 0
    total = rotary_table(spec.architecture)
    if quantized or spec.framework == "sglang":
        for layer, count in stage.alike:
            attention = layer.attention
            if attention.kind == "mla" and spec.mla_cache == "latent":
                total += count * absorbed(attention) // spec.parallel.tp
    return total


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

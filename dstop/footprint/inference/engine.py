"""What serving engines make of the weights while they load, and the sizes that they take unless told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.errors import PlanError
from dstop.footprint.allocator import unsplit, unsplit_equal
from dstop.footprint.sharding import held
from dstop.footprint.spec.settle import UTILIZATION
from dstop.units import GIB, MIB

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


_ROOMY, _MIDDLE = 70 * GIB, 35 * GIB
"""Cards by which engines choose their defaults: 80 GB and more; up to 60 GB or so."""


def usable_bytes(spec: Spec) -> int | None:
    """Give what CUDA calls the total of the card, of which engines take their share; None without a card.

    It is less than NVML's by what the driver keeps; a card that the catalog does not have is taken as it was given.
    """
    if spec.gpu_bytes is None or spec.gpu is None:
        return spec.gpu_bytes
    from dstop.footprint.catalog.hardware import find_gpu  # noqa: PLC0415 - the catalog only for names

    try:
        kept = find_gpu(spec.gpu).reserved_bytes
    except PlanError:
        kept = 0
    return spec.gpu_bytes - kept


def batched_tokens(spec: Spec) -> int:
    """Give the most tokens of one forward pass.

    Unsaid: vLLM's `max_num_batched_tokens` is 8192 on cards of 70 GiB and more (not A100) and 2048 below
    (`EngineArgs.get_batch_defaults`); SGLang's `chunked_prefill_size` is 8192 on cards of 60 GB and more, 4096 from
    35 GB on, 2048 below (`ServerArgs`); llama.cpp's `n_ubatch` is 512. Without a card: of the large one.
    Hugging Face computes the whole prompt at once: batch x sequence.
    """
    if spec.framework == "llama.cpp":
        return min(UBATCH, spec.max_num_batched_tokens or UBATCH)
    if spec.max_num_batched_tokens is not None:
        return spec.max_num_batched_tokens
    if spec.framework not in {"vllm", "sglang"}:
        return spec.batch * (spec.sequence or 0)
    card = spec.gpu_bytes or _ROOMY
    if spec.framework == "vllm":
        return 8192 if card >= _ROOMY and "a100" not in (spec.gpu or "").lower() else 2048
    return 8192 if card >= _ROOMY else 4096 if card >= _MIDDLE else 2048


def most_sequences(spec: Spec) -> int:
    """Give the most sequences of one forward pass.

    Unsaid: vLLM's `max_num_seqs` is 1024 on cards of 70 GiB and more (not A100) and 256 below.
    """
    if spec.framework not in {"vllm", "sglang"}:
        return spec.batch
    if spec.max_num_seqs is not None:
        return spec.max_num_seqs
    large = (spec.gpu_bytes or 0) >= _ROOMY and "a100" not in (spec.gpu or "").lower()
    return 1024 if spec.framework == "vllm" and large else 256


def static_share(spec: Spec, usable: int) -> float:
    """Give the share of the card that an engine takes for weights and cache.

    Unsaid: vLLM's 0.9; SGLang keeps back 512 MiB, 1.5 MiB for each token of a prefill chunk, 2 MiB for each sequence
    of the largest graph and 128 MiB for each GPU of tp x pp, and at least 10 GiB on cards of more than 60 GiB
    (`ServerArgs._handle_gpu_memory_settings`).
    """
    if spec.gpu_memory_utilization is not None:
        return spec.gpu_memory_utilization
    if spec.framework == "vllm":
        return UTILIZATION["vllm"]
    kept = 512 + 1.5 * max(2048, batched_tokens(spec)) + 2 * _largest_graph(usable)
    kept += spec.parallel.tp * spec.parallel.pp * 128
    if usable > 60 * GIB:
        kept = max(kept, 10 * 1024)
    return max(0.0, 1 - kept * MIB / usable)


def _largest_graph(usable: int) -> int:
    """SGLang's `cuda_graph_max_bs`: 8 on cards below 35 GB, 80 below 60, 256 above (with a few GPUs)."""
    return 8 if usable < _MIDDLE else 80 if usable < 60 * GIB else 256

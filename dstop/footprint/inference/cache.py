"""The cache of keys and values: what a token takes in a layer, and what all sequences take together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.formats import GGUF
from dstop.footprint.inference.compressed import compressed_constant, compressed_token
from dstop.footprint.inference.engine import UBATCH

if TYPE_CHECKING:
    from dstop.footprint.architecture.values import Attention, Indexer
    from dstop.footprint.spec.values import Spec
    from dstop.footprint.stages import Stage

CACHED_BYTES = {
    "fp32": 4.0,
    "bf16": 2.0,
    "fp16": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    "int4": 0.5,
    "fp4": 0.5 + 1 / 16,
    "q8_0": GGUF["q8_0"].bits / 8,
    "q4_0": GGUF["q4_0"].bits / 8,
}
"""Bytes of one cached element. fp4 has an 8-bit scale for 16 elements (SGLang's `MHATokenToKVPoolFP4`)."""

_SCALED = 128
"""Elements of a latent that share an fp32 scale in `fp8_ds_mla`."""
_PADDED = 256
"""Head size to which vLLM padded K and V of latent attention before it cached the latent (vllm PR 10927)."""
_ALL = 2**62


def kv_bytes_per_token(spec: Spec, stage: Stage) -> float:
    """Give the bytes of one more token in the caches of all layers of a stage, on one GPU; the spec is settled.

    It is the slope for long contexts: sliding-window layers are full by then and add nothing. Where every layer has
    a window it is what a token takes while it is in reach, which is what an engine divides its pool by.
    """
    windowed = total = 0.0
    for layer, count in stage.alike:
        size = count * token_bytes(layer.attention, spec)
        if layer.attention.window is not None and layer.attention.kind != "compressed":
            windowed += size
        else:
            total += size
    return (total or windowed) / spec.parallel.cp


def token_bytes(attention: Attention, spec: Spec) -> float:
    """Give the bytes that a token takes in the cache of one layer on one GPU, before context parallelism.

    - MHA, GQA, MQA: heads x (key + value) elements; a rank holds max(1, heads / tp) heads (vLLM, Megatron-LM).
    - MLA: kv_rank + rope elements, the same on each rank (DeepSeek-V2, arXiv 2405.04434, section 2.1.2); `expanded`
      keeps full keys and values of each head, `padded` 2 x 256 elements a head.
    - the indexer of sparse attention: head_dim fp8 elements and an fp32 scale per 128.
    """
    kind = attention.kind
    size = CACHED_BYTES.get(str(spec.kv_cache), 0.0)
    if kind == "compressed":
        return compressed_token(attention, str(spec.kv_cache))
    if kind == "mla":
        heads = -(-attention.heads // spec.parallel.tp)
        if spec.mla_cache == "expanded":
            total = heads * (attention.head_dim + attention.value_dim) * size
        elif spec.mla_cache == "padded":
            total = heads * 2 * _PADDED * size
        else:
            total = _latent(attention, str(spec.kv_cache), size)
        return total + _index(attention.indexer)
    heads = max(1, -(-attention.kv_heads // spec.parallel.tp))
    return heads * (attention.head_dim + attention.value_dim) * size


def _latent(attention: Attention, kv_cache: str, size: float) -> float:
    """One latent and its decoupled key.

    `fp8_ds_mla`: fp8 latent, an fp32 scale per 128 of it, the key in 16 bits (FlashMLA's sparse layout: 656 bytes for
    512 + 64). `nvfp4_ds_mla`: two to a byte, an fp8 scale per 16 and an fp32 one per 128 (432 bytes).
    """
    rank, rope = attention.kv_rank, attention.rope_dim
    scales = 4 * -(-rank // _SCALED)
    if kv_cache == "fp8_ds_mla":
        return rank + scales + 2 * rope
    if kv_cache == "nvfp4_ds_mla":
        return rank / 2 + rank / 16 + scales + 2 * rope
    return (rank + rope) * size


def _index(indexer: Indexer | None) -> float:
    return 0.0 if indexer is None else indexer.head_dim + 4 * -(-indexer.head_dim // _SCALED)


def block_tokens(spec: Spec) -> int:
    """Give the tokens of a page of the cache.

    vLLM: 16, and 64 for latent attention (FlashMLA); SGLang: 1; llama.cpp rounds the context up to 256
    (`GGML_PAD(n_ctx, 256)`); Hugging Face grows token by token.
    """
    if spec.framework == "vllm":
        return 64 if spec.architecture.layers[0].attention.kind == "mla" else 16
    return 256 if spec.framework == "llama.cpp" else 1


def kv_demand(spec: Spec, stage: Stage, sequence: int | None = None) -> int:
    """Give the bytes that `batch` sequences of a length take on one GPU, pages and per-request constants included.

    Args:
        spec: settled.
        stage: the pipeline stage.
        sequence: tokens of each; the spec's unless said.
    """
    length = spec.sequence if sequence is None else sequence
    block = block_tokens(spec)
    whole = -(-(length or 0) // block) * block
    total = 0.0
    for layer, count in stage.alike:
        attention = layer.attention
        if attention.kind == "compressed":
            constant = compressed_constant(attention, str(spec.kv_cache), paged=spec.framework == "vllm")
            each = whole / spec.parallel.cp * token_bytes(attention, spec) + constant
        else:
            tokens = min(whole, _reach(attention, spec, block))
            each = -(-tokens // spec.parallel.cp) * token_bytes(attention, spec)
        total += count * each
    return int(spec.batch * total)


def _reach(attention: Attention, spec: Spec, block: int) -> int:
    """Give how many tokens of a sequence a layer keeps: its window, in whole pages, or all.

    llama.cpp keeps a window and one micro-batch (`llama_kv_cache_iswa`).
    """
    if attention.window is None:
        return _ALL
    extra = UBATCH if spec.framework == "llama.cpp" else 0
    return -(-(attention.window + extra) // block) * block

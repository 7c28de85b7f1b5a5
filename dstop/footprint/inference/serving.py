"""vLLM and SGLang: weights, a pool of cache pages as large as the budget allows, and the room of one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.inference.band import ENGINE, banded
from dstop.footprint.inference.cache import kv_demand
from dstop.footprint.inference.defaults import batched_tokens, most_sequences, static_share, usable_bytes
from dstop.footprint.inference.overheads import library_workspace, non_torch, outside
from dstop.footprint.inference.passes import Pass, compute_bytes, engine_pass
from dstop.footprint.weights import weights_bytes
from dstop.model.footprint import Parts

if TYPE_CHECKING:
    from dstop.footprint.inference.band import Served
    from dstop.footprint.spec.values import Spec
    from dstop.footprint.stages import Stage

_SAMPLED = {"vllm": 36, "sglang": 8}
"""Bytes an element of the logits, beside the logits themselves, while they are sampled with top-k and top-p in PyTorch:
in fp32 4, sorted 4 with their places in int64 8, the sort's second buffer of both 12 and its first places 8
(`apply_top_k_top_p`). vLLM's profiles of four models on H100 with 1024 sequences are 38.0 to 38.2 a sequence and word
of the vocabulary, whatever their width; those of Llama-3-8B and Qwen3-8B with 256 too, on one GPU, two and four.
SGLang samples in FlashInfer's kernels: fp32 logits and probabilities."""
_LATENT_PREFILL = 64 * 1024
"""Tokens of earlier chunks that latent attention expands at once, at most (vLLM's `chunked_prefill_workspace_size`)."""


def serving_parts(spec: Spec, stage: Stage) -> Served:
    """Give the parts of a serving engine.

    With a card (`gpu`) the cache is the pool: vLLM takes utilization x card for weights, the peak of its profiling
    pass, what it has taken outside the allocator, and the pool; CUDA context and graphs come on top. SGLang gives
    weights and pool a share of what is free before it loads, and a pass takes of the rest. Without a card the cache
    is what batch x sequence take.
    """
    weights, taken = weights_bytes(spec, stage), profile(spec, stage)
    around = outside(spec, stage)
    cache = kv_demand(spec, stage)
    pool = _pool(spec, stage, weights, taken)
    if pool is not None:
        cache = max(pool, cache // spec.batch)
    parts = Parts(
        weights_bytes=weights,
        kv_cache_bytes=cache,
        activations_bytes=taken.activations_bytes,
        logits_bytes=taken.logits_bytes,
        workspace_bytes=taken.workspace_bytes,
        context_bytes=around.expected_bytes,
    )
    return banded(spec, parts, around, ENGINE)


def pool_bytes(spec: Spec, stage: Stage) -> int | None:
    """Give the bytes that an engine leaves for the cache on its card; None without a card, negative without room."""
    return _pool(spec, stage, weights_bytes(spec, stage), profile(spec, stage))


def _pool(spec: Spec, stage: Stage, weights: int, taken: Pass) -> int | None:
    usable = usable_bytes(spec)
    if usable is None:
        return None
    share = static_share(spec, usable)
    if spec.framework == "vllm":
        budget = int(share * usable) - taken.total_bytes - non_torch(spec)
    else:
        budget = int(share * (usable - outside(spec, stage, with_graphs=False).expected_bytes))
    return budget - weights


def profile(spec: Spec, stage: Stage) -> Pass:
    """Give what the largest pass of an engine takes: its widest layer, or the logits while they are sampled.

    vLLM measures it before it sizes the pool: `max_num_batched_tokens` tokens, then the sampler with `max_num_seqs`
    sequences while the hidden states are still there.
    """
    tokens = batched_tokens(spec)
    hidden = compute_bytes(spec) * tokens * spec.architecture.hidden
    layers = max(engine_pass(spec, stage, tokens), _expanded(spec, stage))
    sampled = 0
    if stage.last:
        each = compute_bytes(spec) + _SAMPLED[spec.framework or ""]
        sampled = min(tokens, most_sequences(spec)) * spec.architecture.vocab * each
    workspace = library_workspace(spec) + _latent_workspace(spec, stage)
    if layers >= hidden + sampled:
        return Pass(activations_bytes=layers, workspace_bytes=workspace)
    return Pass(activations_bytes=hidden, logits_bytes=sampled, workspace_bytes=workspace)


def _context_tokens(spec: Spec) -> int:
    """Give vLLM's `chunked_prefill_workspace_size`."""
    longest = spec.max_model_len or spec.architecture.positions or spec.sequence or 0
    return min(max(8 * longest, 4 * most_sequences(spec) * 64), _LATENT_PREFILL)


def _expanded(spec: Spec, stage: Stage) -> int:
    """Give keys and values that latent attention expands of earlier chunks: tokens x heads x (nope + value)."""
    if spec.framework != "vllm" or spec.mla_cache != "latent":
        return 0
    widest = 0
    for layer, _ in stage.alike:
        attention = layer.attention
        if attention.kind == "mla":
            each = attention.heads * (attention.head_dim - attention.rope_dim + attention.value_dim)
            widest = max(widest, each // spec.parallel.tp)
    return compute_bytes(spec) * _context_tokens(spec) * widest


def _latent_workspace(spec: Spec, stage: Stage) -> int:
    """Give the gathered latents of earlier chunks, one buffer for all layers."""
    if spec.framework != "vllm" or spec.mla_cache != "latent":
        return 0
    latent = max(
        (
            layer.attention.kv_rank + layer.attention.rope_dim
            for layer, _ in stage.alike
            if layer.attention.kind == "mla"
        ),
        default=0,
    )
    return compute_bytes(spec) * _context_tokens(spec) * latent

"""What an inference footprint takes for granted beside the fields that `settle` filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.inference.cache import kv_demand
from dstop.footprint.inference.defaults import batched_tokens, most_sequences, static_share, usable_bytes
from dstop.footprint.inference.engine import VOCABULARY
from dstop.footprint.scheme import scheme_of
from dstop.footprint.stages import stages_of
from dstop.model.footprint import Assumption
from dstop.units import gib_text

if TYPE_CHECKING:
    from dstop.footprint.spec.values import Spec
    from dstop.model.footprint import RankFootprint

_ENGINES = {"vllm": "vLLM", "sglang": "SGLang"}


def inference_assumptions(spec: Spec, rank: RankFootprint) -> tuple[Assumption, ...]:
    """Give the assumptions of a settled spec, the weightiest first.

    Args:
        spec: settled.
        rank: what came of it; of an engine's rank the size of its pool is said.
    """
    found = [*_latent(spec), *_windows(spec), *_weights(spec)]
    if spec.framework in _ENGINES:
        found += _engine(spec, rank, _ENGINES[spec.framework])
    elif spec.framework == "llama.cpp":
        found.append(
            Assumption(
                subject="weights",
                says="all layers are on the GPU; the embedding stays on the CPU unless it is the head too",
                source="engine",
            )
        )
    elif spec.max_num_batched_tokens is None:
        found.append(
            Assumption(
                subject="max_num_batched_tokens",
                says="the whole sequence is a prompt that is computed in one pass",
                source="default",
            )
        )
    return tuple(found)


def _latent(spec: Spec) -> list[Assumption]:
    """The code of transformers caches keys and values of each head, whatever the architecture would allow."""
    layers = [layer for layer in spec.architecture.layers if layer.attention.kind == "mla"]
    if not layers or spec.framework not in {"hf", "pytorch"} or spec.mla_cache != "latent":
        return []
    attention = layers[0].attention
    full = (
        attention.heads
        * (attention.head_dim + attention.value_dim)
        / (attention.kv_rank + attention.rope_dim)
    )
    return [
        Assumption(
            subject="mla_cache",
            says=f"the latent is cached; transformers' own code expands it, {full:.1f} times as much "
            "(mla_cache: expanded)",
            source="default",
        )
    ]


def _windows(spec: Spec) -> list[Assumption]:
    windows = {
        layer.attention.window for layer in spec.architecture.layers if layer.attention.kind != "compressed"
    } - {None}
    if not windows:
        return []
    widest = max(window for window in windows if window is not None)
    return [
        Assumption(
            subject="kv_cache",
            says=f"layers with a sliding window keep {widest:,} tokens of a sequence, not more",
            source="config",
        )
    ]


def _weights(spec: Spec) -> list[Assumption]:
    scheme = scheme_of(spec.architecture, spec.weights or "native")
    if not scheme.quantized or scheme.mix or scheme.everything:
        return []
    return [
        Assumption(
            subject="weights",
            says=f"matrices in {scheme.matrices.name} with their scales; embedding, head, norms and routers "
            f"in {scheme.plain.name}",
            source="config" if spec.weights == "native" else "default",
        )
    ]


def _engine(spec: Spec, rank: RankFootprint, engine: str) -> list[Assumption]:
    found = []
    if spec.max_num_batched_tokens is None:
        found.append(
            Assumption(
                subject="max_num_batched_tokens",
                says=f"{batched_tokens(spec):,} tokens in the largest pass, {engine}'s own choice",
                source="engine",
            )
        )
    if spec.max_num_seqs is None:
        found.append(
            Assumption(
                subject="max_num_seqs",
                says=f"{most_sequences(spec):,} sequences at most, {engine}'s own choice",
                source="engine",
            )
        )
    vocab = spec.architecture.vocab
    if vocab % VOCABULARY:
        found.append(
            Assumption(
                subject="weights",
                says=f"the vocabulary of {vocab:,} is padded to a multiple of {VOCABULARY}",
                source="engine",
            )
        )
    usable = usable_bytes(spec)
    if usable is None:
        found.append(
            Assumption(
                subject="kv_cache",
                says=f"the cache is what batch x sequence take; {engine} takes all of its budget (name a gpu)",
                source="engine",
            )
        )
    else:
        found += _pool(spec, rank, engine, usable)
    return found


def _pool(spec: Spec, rank: RankFootprint, engine: str, usable: int) -> list[Assumption]:
    """What the pool holds, and whether one sequence fits it."""
    pool = rank.parts.kv_cache_bytes
    one = kv_demand(spec, stages_of(spec)[rank.stage]) / spec.batch
    share = static_share(spec, usable)
    says = f"{engine} takes {share:.1%} of {gib_text(usable)} GiB"
    if not one:
        return []
    if pool <= one:
        says += f": no room for a cache of one sequence of {spec.sequence:,} tokens, it would refuse to start"
    else:
        says += f": the cache is a pool with room for {pool / one:,.1f} sequences of {spec.sequence:,} tokens"
    return [Assumption(subject="gpu_memory_utilization", says=says, source="engine")]

"""llama.cpp: weights as in the file, a cache for the whole context, one compute buffer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.architecture.values import Experts
from dstop.footprint.inference.band import ENGINE, banded
from dstop.footprint.inference.cache import kv_demand
from dstop.footprint.inference.defaults import batched_tokens
from dstop.footprint.inference.overheads import outside
from dstop.footprint.inference.passes import FP32
from dstop.footprint.weights import weights_bytes
from dstop.model.footprint import Parts

if TYPE_CHECKING:
    from dstop.footprint.architecture.values import Layer
    from dstop.footprint.inference.band import Served
    from dstop.footprint.spec.values import Spec
    from dstop.footprint.stages import Stage


def llama_cpp_parts(spec: Spec, stage: Stage) -> Served:
    """Give the parts: all layers on the GPU, the embedding on the CPU unless it is the head too.

    The compute buffer holds the widest moment of a graph over `n_ubatch` tokens in fp32: logits and one hidden state,
    the two halves of an MLP and two hidden states, or without flash attention the scores of all heads over the whole
    context.
    """
    tokens = batched_tokens(spec)
    architecture = spec.architecture
    hidden = FP32 * tokens * architecture.hidden
    logits = FP32 * tokens * architecture.vocab if stage.last else 0
    scores = 0
    if spec.attention == "eager":
        heads = max(layer.attention.heads for layer, _ in stage.alike) // spec.parallel.tp
        scores = FP32 * tokens * heads * spec.batch * (spec.sequence or 0) + 5 * hidden
    halves = FP32 * tokens * max(_halves(layer, spec) for layer, _ in stage.alike) + hidden
    if max(scores, halves) > logits:
        activations, logits = max(scores, halves) + hidden, 0
    else:
        activations = hidden
    around = outside(spec, stage)
    parts = Parts(
        weights_bytes=weights_bytes(spec, stage),
        kv_cache_bytes=kv_demand(spec, stage),
        activations_bytes=activations,
        logits_bytes=logits,
        context_bytes=around.expected_bytes,
    )
    return banded(spec, parts, around, ENGINE)


def _halves(layer: Layer, spec: Spec) -> int:
    """Give the elements a token of gate and up; their product takes the place of one of them. Of all chosen experts."""
    block = layer.feed_forward
    if isinstance(block, Experts):
        return block.per_token * 2 * block.width // spec.parallel.expert_tp
    return (1 + block.gated) * block.width // spec.parallel.tp

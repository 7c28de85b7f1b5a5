"""One forward pass without gradients: what a layer holds while it is computed, at its widest moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.footprint.architecture.values import Experts
from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.footprint.architecture.values import Attention, Layer, Mlp
    from dstop.footprint.spec.values import Spec
    from dstop.footprint.stages import Stage

FP32 = 4
_MOE_CHUNK = 32_768
"""vLLM's fused experts work on at most so many tokens at once (`VLLM_FUSED_MOE_CHUNK_SIZE`)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Pass(Value):
    """What a pass takes above weights and cache."""

    activations_bytes: int = 0
    logits_bytes: int = 0
    workspace_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.activations_bytes + self.logits_bytes + self.workspace_bytes


def compute_dtype(spec: Spec) -> str:
    """Give the dtype of activations: that of plain weights, else the 16 bits that quantized ones are unpacked to.

    Engines serve an fp32 checkpoint in 16 bits unless told (`dtype="auto"` of vLLM and SGLang).
    """
    weights = spec.weights or "native"
    if weights in {"fp32", "fp16", "bf16"}:
        return weights
    dtype = spec.architecture.dtype
    if dtype == "fp32" and (weights != "native" or spec.framework in {"vllm", "sglang"}):
        return "bf16"
    return dtype


def compute_bytes(spec: Spec) -> int:
    """Give the bytes of an element of an activation."""
    return FP32 if compute_dtype(spec) == "fp32" else 2


def prompt_peak(
    spec: Spec, stage: Stage, tokens: int, sequence: int, *, cache: int = 0, unpacked: int = 0
) -> int:
    """Give the highest moment of a prompt's pass in transformers: one layer, and the cache up to it.

    Args:
        spec: settled.
        stage: its layers. Dense ones come before those with experts: the cache is small then.
        tokens: of all sequences in the pass.
        sequence: of one of them; for the score matrix of eager attention.
        cache: bytes of the whole cache of these tokens; it is there in the end.
        unpacked: bytes of a quantized matrix that is unpacked while it is multiplied by.
    """
    last = {id(layer): place for place, layer in enumerate(stage.layers)}
    return max(
        cache * (last.get(id(layer), len(stage.layers) - 1) + 1) // len(stage.layers)
        + layer_pass(spec, layer, tokens, sequence, unpacked)
        for layer, _ in stage.alike
    )


def layer_pass(spec: Spec, layer: Layer, tokens: int, sequence: int, unpacked: int = 0) -> int:
    """Give the widest moment of a layer of Hugging Face transformers without gradients.

    Beside what a layer makes, the frames above it keep the embeddings and the layer's input, and a table of rotary
    cosines and sines for one sequence. At the MLP: embeddings, input, residual, normed, and gate, up and their product:
    tokens x (4 hidden + 3 width) elements. Real transformers 4.57 in 16 and 32 bits is that to the byte (Llama, Qwen3);
    the published peaks of Qwen2.5 (0.5B to 72B, 6k to 30k tokens, 4.46) are within 0.7 % of it in all. A matrix that is
    unpacked stands beside the product of gate and up alone, as down_proj's does.
    """
    size = compute_bytes(spec)
    hidden, ways = spec.architecture.hidden, spec.parallel.tp
    learned = any(tensor.role == "position" for tensor in spec.architecture.embedding)
    if spec.attention == "eager":
        attention = size * _eager(layer.attention) + layer.attention.heads * sequence * _score_bytes(spec)
        attention = attention / ways + size * sequence
    else:
        attention = size * _modular_attention(layer.attention, spec) / ways
    attention += size * (3 + learned) * hidden
    # with learned positions their own embeddings stay, and GPT-2's block keeps what its attention gave
    feed_forward = size * (4 + 2 * learned) * hidden + _modular_feed_forward(layer, spec, size)
    table = 0 if learned else 2 * size * (layer.attention.rope_dim or layer.attention.head_dim) / spec.batch
    widest = table + max(attention, feed_forward)
    beside_product = size * 5 * hidden + (widest - size * 4 * hidden) / 3
    return int(max(tokens * widest, tokens * beside_product + unpacked))


def _modular_attention(attention: Attention, spec: Spec) -> float:
    """Give the elements a token of what is made of queries, keys and values, over all ranks; the cache is apart.

    Rotated queries are a sum of two temporaries beside the queries: four of their size. So is what comes later unless
    the kernel groups heads (flash does): queries, keys and values repeated to all heads, output. Latent attention joins
    both parts of queries and keys, and flash pads the values.
    """
    heads, width = attention.heads, attention.head_dim
    query = heads * width
    if attention.kind == "mla":
        expanded = heads * (width - attention.rope_dim + attention.value_dim)
        padded = query if spec.attention == "flash" else 0
        return 3 * query + expanded + padded + heads * attention.value_dim
    return 4 * query


def _eager(attention: Attention) -> float:
    """Give the elements a token beside the scores: queries, and keys and values repeated to all heads."""
    query = attention.heads * attention.head_dim
    if attention.kind == "mla":
        return 3 * query + attention.heads * (attention.head_dim - attention.rope_dim + attention.value_dim)
    return 3 * query if attention.kv_heads < attention.heads else query


def _score_bytes(spec: Spec) -> int:
    """Give the bytes of one attention score at its widest: while the softmax is computed in fp32.

    bf16 scores are copied to fp32 first (2 + 4 + 4), fp16 ones are read as they are and cast back (2 + 4 + 2), fp32
    ones need no cast (4 + 4). GPT-2's softmax stays in the dtype of the scores.
    """
    dtype = compute_dtype(spec)
    if spec.architecture.family == "gpt2":
        return 2 * compute_bytes(spec)
    return 10 if dtype == "bf16" else 8


def _modular_feed_forward(layer: Layer, spec: Spec, size: int) -> float:
    """Give the bytes a token. Experts run one after another on the tokens that chose them.

    DeepSeek-V2's code sorts the tokens by expert first: sorted, the experts' outputs, those in one tensor, put back in
    their order, and that in fp32 are there at once for all chosen pairs (`DeepseekV2MoE.moe`).
    """
    block = layer.feed_forward
    if isinstance(block, Experts):
        routed, chosen = block.routed, block.per_token
        hidden = spec.architecture.hidden
        if spec.architecture.family in _SORTING:
            return chosen * hidden * (4 * size + FP32) + FP32 * hidden + routed * 8
        router = routed * (size + FP32) + chosen * (size + 8)
        sums = FP32 if spec.architecture.family in _SUMMING else size
        one = chosen / routed * size * (3 * block.width / spec.parallel.expert_tp + 2 * hidden)
        mask = chosen * routed * 8  # one-hot in int64
        shared = size * (hidden + 3 * block.shared_width / spec.parallel.tp)
        return router + max(sums * hidden + one + mask, shared)
    return size * block.width / spec.parallel.tp * _matrices(layer, block)


_SUMMING = frozenset({"deepseek_v3", "glm4_moe"})
"""Families whose code sums the experts' outputs in the fp32 of their routing weights."""
_SORTING = frozenset({"deepseek_v2"})
"""Families whose code sorts tokens by expert."""


def _matrices(layer: Layer, block: Mlp) -> int:
    """Give how many tensors of an MLP's width there are at once.

    gate, up and product; where gate and up are one matrix its output stays whole beside both (Phi-3). Without a gate
    the activation's in- and output, and two temporaries more for the tanh form (GPT-2).
    """
    if block.gated:
        return 4 if any("gate_up" in name for name in layer.fused) else 3
    return 4 if block.activation in {"gelu_new", "gelu_fast"} else 2


def engine_pass(spec: Spec, stage: Stage, tokens: int) -> int:
    """Give the widest moment of a layer of vLLM or SGLang, for the tokens of one pass.

    At the MLP: residual, normed, gate and up in one, their product, and the output: tokens x (3 hidden + 3 width / tp)
    elements. vLLM's own profile of Llama-3.1-8B with 20,000 and 29,000 tokens is that and cuBLAS's workspace within
    0.2 %. Fused experts: two buffers for all chosen pairs, the first shared by the first and the last product
    (`fused_experts_impl`).
    """
    size = compute_bytes(spec)
    hidden = spec.architecture.hidden
    widest = 0.0
    for layer, _ in stage.alike:
        attention = tokens * size * (3 * hidden + _engine_attention(layer.attention) / spec.parallel.tp)
        widest = max(widest, attention, _engine_feed_forward(layer, spec, tokens, size))
    return int(widest)


def _engine_attention(attention: Attention) -> float:
    """Give the elements a token: fused q, k, v and the output; latent attention expands keys and values of a prompt."""
    heads, width = attention.heads, attention.head_dim
    query = heads * width
    if attention.kind == "mla":
        return 4 * query + heads * (width - attention.rope_dim + attention.value_dim)
    return 2 * query + attention.kv_heads * (width + attention.value_dim)


def _engine_feed_forward(layer: Layer, spec: Spec, tokens: int, size: int) -> float:
    block, hidden, parallel = layer.feed_forward, spec.architecture.hidden, spec.parallel
    if isinstance(block, Experts):
        width = block.width / parallel.expert_tp
        pairs = min(tokens, _MOE_CHUNK) * block.per_token
        fused = size * pairs * (max(2 * width, hidden) + width)
        router = tokens * block.routed * (size + FP32)
        shared = tokens * size * (hidden + 0) if block.shared_width else 0
        alone = tokens * size * 3 * block.shared_width / parallel.tp
        return tokens * size * 3 * hidden + router + max(fused + shared, alone)
    return tokens * size * (3 * hidden + (3 if block.gated else 2) * block.width / parallel.tp)

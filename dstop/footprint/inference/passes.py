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


def compute_bytes(spec: Spec) -> int:
    """Give the bytes of an element of an activation: 4 for fp32 weights, else 2."""
    weights = spec.architecture.dtype if spec.weights in {None, "native"} else spec.weights
    return FP32 if weights == "fp32" else 2


def transformers_pass(spec: Spec, stage: Stage, tokens: int, sequence: int, unpacked: int = 0) -> int:
    """Give the widest moment of a layer of Hugging Face transformers without gradients.

    Beside what a layer makes, the frames above it keep the embeddings and the layer's input. At the MLP: embeddings,
    input, residual, normed, and gate, up and their product: tokens x (4 hidden + 3 width) elements. The published
    peaks of Qwen2.5 (0.5B to 32B, 6k to 30k tokens) are within 1.00 to 1.12 of that.

    Args:
        spec: settled.
        stage: its layers.
        tokens: of all sequences in the pass.
        sequence: of one of them; for the score matrix of eager attention.
        unpacked: bytes of a quantized matrix that is unpacked while it is multiplied by: beside the product of gate and
            up alone, as down_proj's is.
    """
    size = compute_bytes(spec)
    hidden, ways = spec.architecture.hidden, spec.parallel.tp
    widest = 0.0
    for layer, _ in stage.alike:
        attention = size * (3 * hidden + _modular_attention(layer.attention, spec) / ways)
        if spec.attention == "eager":
            # scores, their softmax in fp32, and that in the compute type again
            attention += layer.attention.heads / ways * sequence * (2 * size + FP32)
        feed_forward = size * 4 * hidden + _modular_feed_forward(layer.feed_forward, spec, size)
        widest = max(widest, attention, feed_forward)
    beside_product = size * 5 * hidden + (widest - size * 4 * hidden) / 3
    return int(max(tokens * widest, tokens * beside_product + unpacked))


def _modular_attention(attention: Attention, spec: Spec) -> float:
    """Give the elements a token of queries, keys, values and what is made of them, over all ranks.

    Rotation makes three temporaries of the queries' size; keys and values are repeated to all heads unless the kernel
    groups them (flash does); latent attention joins both parts of queries and keys, and flash pads the values.
    """
    heads, width = attention.heads, attention.head_dim
    query = heads * width
    if attention.kind == "mla":
        expanded = heads * (width - attention.rope_dim + attention.value_dim)
        padded = query if spec.attention == "flash" else 0
        return 3 * query + expanded + padded + heads * attention.value_dim
    cached = attention.kv_heads * (width + attention.value_dim)
    repeated = 2 * query if spec.attention != "flash" and attention.kv_heads < heads else 0
    return query + cached + max(3 * query, query + repeated)


def _modular_feed_forward(block: Mlp | Experts, spec: Spec, size: int) -> float:
    """Give the bytes a token. Experts run one after another on the tokens that chose them."""
    if isinstance(block, Experts):
        routed, chosen = block.routed, block.per_token
        hidden = spec.architecture.hidden
        router = routed * (size + FP32) + chosen * (
            routed * 8 + size + 8
        )  # logits, softmax, the one-hot mask in int64
        one = chosen / routed * (3 * block.width / spec.parallel.expert_tp + 2 * hidden)
        shared = 3 * block.shared_width / spec.parallel.tp
        return router + size * (hidden + max(one, shared))
    return size * block.width / spec.parallel.tp * _matrices(block)


def _matrices(block: Mlp) -> int:
    """Give how many tensors of an MLP's width there are at once: gate, up and product; the tanh form makes more."""
    if block.gated:
        return 3
    return 4 if block.activation in {"gelu_new", "gelu_pytorch_tanh", "gelu_fast"} else 2


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

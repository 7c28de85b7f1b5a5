"""A model of which only the size is known: a dense Llama of so many parameters, and named an assumption."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.errors import PlanError
from dstop.footprint.architecture.config import read_config

if TYPE_CHECKING:
    from dstop.footprint.architecture.values import Architecture

LEAST_PARAMETERS, MOST_PARAMETERS = 10e6, 10e12
VOCABULARY = 32_000
"""Of Llama 2. A larger one would make a model of 0.1 B mostly embedding."""
POSITIONS = 4096
ASPECT = 128
"""Hidden size over layers: 4096/32 in Llama 7B, 5120/40 in 13B, 8192/80 in 65B (Touvron et al., arXiv 2302.13971,
table 2); between 50 and 200 it hardly matters to the loss (Kaplan et al., arXiv 2001.08361, figure 5)."""
_TIED_BELOW = 1e9
_LARGE_HEAD, _SMALL_HEAD = 128, 64
_WIDTH_STEP = 64
_KV_HEADS = 8


def llama_shaped(parameters: float, name: str | None = None) -> Architecture:
    """Give a dense decoder of about so many parameters (within 1 %), in the proportions of Llama.

    Grouped-query attention with 8 key/value heads where there are more heads than that, a gated MLP of 8/3 of the
    hidden size, embedding and head tied below 1 B. Layers are counted first, the width of the MLP takes up the rest.

    Args:
        parameters: how many in all, embeddings included.
        name: what it stands for; else it says its shape.

    Raises:
        PlanError: the size is out of bounds.
    """
    if not LEAST_PARAMETERS <= parameters <= MOST_PARAMETERS:
        raise PlanError(f"a model of {parameters:.3g} parameters is out of bounds", fix="10 M to 10 T")
    tied = parameters < _TIED_BELOW
    hidden = _hidden(parameters, tied=tied)
    head = _SMALL_HEAD if hidden < 2048 else _LARGE_HEAD  # noqa: PLR2004 - GPT-2 and TinyLlama below, Llama above
    heads = hidden // head
    kv_heads = _KV_HEADS if heads > _KV_HEADS and heads % _KV_HEADS == 0 else heads
    body = parameters - _embeddings(hidden, tied=tied)
    attention = 2 * hidden * hidden + 2 * hidden * kv_heads * head
    layers = max(1, round(body / (attention + 8 * hidden * hidden)))
    width = (body / layers - attention) / (3 * hidden)
    return read_config(
        {
            "model_type": "llama",
            "architectures": ["LlamaForCausalLM"],
            "hidden_size": hidden,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": kv_heads,
            "head_dim": head,
            "intermediate_size": max(_WIDTH_STEP, round(width / _WIDTH_STEP) * _WIDTH_STEP),
            "vocab_size": VOCABULARY,
            "max_position_embeddings": POSITIONS,
            "tie_word_embeddings": tied,
            "torch_dtype": "bfloat16",
        },
        name or f"Llama-shaped {size_of(parameters)}",
    )


def size_of(parameters: float) -> str:
    """Write a number of parameters: `500M`, `10B`, `1.6T`."""
    for unit, each in (("T", 1e12), ("B", 1e9), ("M", 1e6)):
        if parameters >= each:
            return f"{parameters / each:.3g}{unit}"
    return f"{parameters:.0f}"


def _embeddings(hidden: int, *, tied: bool) -> int:
    return VOCABULARY * hidden * (1 if tied else 2)


def _hidden(parameters: float, *, tied: bool) -> int:
    """Give the hidden size: 12 h^2 a layer and h/128 layers, on steps that divide into whole heads."""
    hidden = 0.0
    for _ in range(4):  # the embedding depends on the hidden size, which depends on what the embedding leaves
        body = max(parameters / 4, parameters - _embeddings(int(hidden), tied=tied))
        hidden = (body * ASPECT / 12) ** (1 / 3)
    step = 256 if hidden < 2048 else 512 if hidden < 4096 else 1024  # noqa: PLR2004 - coarser for larger ones
    return max(step, round(hidden / step) * step)

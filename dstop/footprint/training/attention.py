"""What the attention of one layer keeps for its backward pass.

Every entry is a tensor that autograd keeps, each storage once, as lists of saved tensors of real PyTorch show it
(`tests/footprint/measuring/saved.py`); for Megatron-LM the terms of Korthikanti et al., arXiv 2205.05198, section 4.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.training.norms import RMS, norm_kept
from dstop.footprint.training.setting import SINGLE

if TYPE_CHECKING:
    from dstop.footprint.architecture.values import Attention, Layer
    from dstop.footprint.training.setting import Setting

FUSED_CACHED = 2
"""Copies of keys and values that transformers' cache makes where both are views of one fused projection."""


def attention_kept(layer: Layer, hidden: int, setting: Setting, norm: str) -> dict[str, float]:
    """Give bytes by part: `norm`, `normed`, `latent`, `qkv`, `core`, `out`.

    Args:
        layer: whose attention it is.
        hidden: width of the residual stream.
        setting: sizes and types.
        norm: how the family writes its norms (`norms.norm_style`).
    """
    attention, tokens = layer.attention, setting.tokens
    inputs = _entering(layer)
    kept = norm_kept(hidden, setting, norm, setting.residual, inputs)
    kept["latent"] = _latents(attention, setting)
    wide = attention.heads * attention.head_dim
    keys = attention.kv_heads * attention.head_dim
    values = attention.kv_heads * attention.value_dim
    out = attention.heads * attention.value_dim
    if attention.kind == "compressed":  # one shared latent is key and value
        keys, values = attention.head_dim, attention.value_dim
    ways = setting.tp
    held = max(1, -(-attention.kv_heads // ways)) / attention.kv_heads
    near = (keys + values) * held
    if setting.scores and not setting.megatron and attention.kv_heads < attention.heads:
        near = (wide + out) / ways  # eager code repeats keys and values for every head before it multiplies
    per_token = setting.element * (wide / ways + near)
    if "c_attn" in layer.fused and not setting.fused:
        per_token += setting.element * FUSED_CACHED * attention.kv_heads * attention.head_dim / ways
    if attention.qk_norm:
        per_token += _query_key_norms(attention, setting, norm)
    kept["qkv"] = tokens * per_token
    kept["out"] = tokens * setting.element * out / ways
    kept["core"] = scores_kept(attention, setting, upcast="c_attn" not in layer.fused)
    return kept


def scores_kept(attention: Attention, setting: Setting, *, upcast: bool = True) -> float:
    """Give what is kept between queries and the attention's output.

    Flash and SDPA: the log of each row's sum in fp32 (Dao, arXiv 2307.08691). Eager code of transformers: the softmax
    in fp32 (`upcast`; GPT-2's in its own type, which autocast makes fp32), and what is multiplied with the values: a
    cast back, or the result of dropout beside its mask. Megatron-LM: softmax, mask and dropped scores, the 5as/h of
    arXiv 2205.05198, of which dropout is 3.
    """
    heads = attention.heads / setting.tp
    if not setting.scores:
        return SINGLE * setting.tokens * heads
    cells = setting.sequences * heads * setting.local * setting.length
    element = setting.element
    softmax = element if setting.fused or not (upcast or setting.casts) else SINGLE
    if attention.dropout:
        return cells * (softmax + 1 + element)
    return cells * (softmax + (element if element < softmax else 0))


def attention_passing(attention: Attention, setting: Setting) -> float:
    """Give what the backward pass of eager attention needs for a moment: two gradients of fp32 scores and a cast."""
    if not setting.scores:
        return 0.0
    cells = setting.sequences * attention.heads / setting.tp * setting.local * setting.length
    if setting.fused:
        return 2 * setting.element * cells
    return cells * (3 if setting.element < SINGLE else 2) * SINGLE


def _entering(layer: Layer) -> int:
    """Count the matrices that read the norm's output: query, key and value, or the two down-projections of MLA."""
    if layer.attention.kind != "gqa":
        return 2
    return 1 if layer.fused else 3


def _latents(attention: Attention, setting: Setting) -> float:
    """The compressed query and the latent of MLA, each with its norm and up-projection (DeepSeek-V2, 2405.04434)."""
    total = 0.0
    for rank in (attention.q_rank or 0, attention.kv_rank):
        if rank:
            total += sum(norm_kept(rank, setting, RMS, setting.element, 1).values())
    return total


def _query_key_norms(attention: Attention, setting: Setting, norm: str) -> float:
    """Bytes a token of Qwen3's norms of queries and keys; what they give is kept by the attention anyway."""
    width = (attention.heads + attention.kv_heads) * attention.head_dim / setting.tp
    rows = SINGLE * (attention.heads + attention.kv_heads) / setting.tp
    if setting.fused:
        return setting.element * width + rows
    normed = setting.element if norm == RMS else SINGLE
    return (SINGLE + (0 if setting.frozen else normed)) * width + rows

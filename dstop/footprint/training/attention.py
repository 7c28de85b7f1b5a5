"""What the attention of one layer keeps for its backward pass.

Every entry is a tensor that autograd keeps, each storage once, as lists of saved tensors of real PyTorch show it
(`tests/footprint/measuring/saved.py`); for Megatron-LM the terms of Korthikanti et al., arXiv 2205.05198, section 4.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
        norm: `rms` or `layer`.
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
        per_token += _query_key_norms(attention, setting)
    kept["qkv"] = tokens * per_token
    kept["out"] = tokens * setting.element * out / ways
    kept["core"] = scores_kept(attention, setting)
    return kept


def norm_kept(
    size: int, setting: Setting, norm: str, entering: int, consumers: int, *, ways: int | None = None
) -> dict[str, float]:
    """Give what a norm over `size` elements and the matrices after it keep: `norm` and `normed`.

    Code that is not fused upcasts to fp32 and keeps that, the reciprocal of its root mean square and the normed tensor
    before its weight (transformers' `LlamaRMSNorm`). LayerNorm and fused norms keep their input. Each matrix keeps its
    input: one storage for all of them, or a cast each under autocast. What is frozen keeps neither.
    """
    elements = setting.tokens * size / (ways or setting.sp)
    rows = setting.tokens / (ways or setting.sp)
    if norm == "rms" and not setting.fused:
        inner = SINGLE * elements + SINGLE * rows
        inner += 0 if setting.frozen else entering * elements
    else:
        inner = entering * elements + (2 * SINGLE if norm == "layer" else SINGLE) * rows
    copies = consumers if setting.casts else 1
    after = 0.0 if setting.frozen or not consumers else setting.linear * elements * copies
    return {"norm": inner, "normed": after}


def scores_kept(attention: Attention, setting: Setting) -> float:
    """Give what is kept between queries and the attention's output.

    Flash and SDPA: the log of each row's sum in fp32 (Dao, arXiv 2307.08691). Eager: the softmax in fp32, cast back
    (transformers), with dropout its mask and result too. Megatron-LM: softmax, mask and dropped scores, the 5as/h of
    arXiv 2205.05198, of which dropout is 3.
    """
    heads = attention.heads / setting.tp
    if not setting.scores:
        return SINGLE * setting.tokens * heads
    cells = setting.sequences * heads * setting.local * setting.length
    dropped = (1 + setting.element) * (attention.dropout > 0)
    if setting.fused:
        return cells * (setting.element + dropped)
    cast = setting.element if setting.element < SINGLE else 0
    return cells * (SINGLE + cast + dropped)


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
            total += sum(norm_kept(rank, setting, "rms", setting.element, 1).values())
    return total


def _query_key_norms(attention: Attention, setting: Setting) -> float:
    """Bytes a token of Qwen3's norms of queries and keys; what they give is kept by the attention anyway."""
    width = (attention.heads + attention.kv_heads) * attention.head_dim / setting.tp
    rows = SINGLE * (attention.heads + attention.kv_heads) / setting.tp
    if setting.fused:
        return setting.element * width + rows
    return (SINGLE + (0 if setting.frozen else setting.element)) * width + rows

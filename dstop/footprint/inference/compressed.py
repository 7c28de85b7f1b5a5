"""DeepSeek-V4's cache: one entry for several tokens, and what each request needs whatever its length."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dstop.footprint.architecture.values import Attention

_OVERLAP = 4
"""Ratio at which neighbouring groups overlap: their states are kept twice (vLLM's `deepseek_v4` compressor)."""
_SCALED = 64
"""Elements of an entry that share an 8-bit exponent."""
_ALIGNED = 576
"""vLLM aligns its pages for this cache to it."""
_WINDOW_PAGE, _STATE_PAGE = 64, {True: 4, False: 8}
"""Tokens of a page of the window, and of compressor states with and without overlap."""


def entry_bytes(attention: Attention, kv_cache: str) -> float:
    """Give the bytes of one entry: keys and values are one shared vector.

    In 8 bits: the part without rope in fp8 with an exponent per 64 (padded to a multiple of 8), the rope part in 16
    bits: 448 + 8 + 128 = 584 for head_dim 512 (vLLM's DeepSeek-V4 cache).
    """
    if kv_cache in {"bf16", "fp16"}:
        return 2.0 * attention.head_dim
    if kv_cache == "fp32":
        return 4.0 * attention.head_dim
    nope = attention.head_dim - attention.rope_dim
    scales = (nope + 8 * _SCALED - 1) // (8 * _SCALED) * 8
    return nope + scales + 2 * attention.rope_dim


def compressed_token(attention: Attention, kv_cache: str) -> float:
    """Give the bytes of one more token in a long context: its share of an entry, and of the indexer's if any.

    The indexer keeps an fp8 key and an fp32 scale (132 bytes for 128), or in fp4 half of it and an exponent per 32
    (68).
    A layer without compression has its window alone: 0.
    """
    ratio = attention.compress_ratio
    if not ratio:
        return 0.0
    total = entry_bytes(attention, kv_cache)
    if attention.indexer is not None:
        width = attention.indexer.head_dim
        total += width / 2 + width / 32 if kv_cache == "fp4" else width + 4
    return total / ratio


def compressed_constant(attention: Attention, kv_cache: str, *, paged: bool) -> float:
    """Give the bytes of one request in one layer whatever its length: the window, and the compressor's fp32 states.

    A group that is being filled keeps keys and weights of each of its tokens in fp32 (twice as wide, and over two
    groups, where groups overlap); likewise for the indexer.

    Args:
        attention: of the layer.
        kv_cache: format of the entries.
        paged: in vLLM's pages: window of 64 tokens, states of 4 or 8, each a page more than is filled.
    """
    window = attention.window or 0
    ratio = attention.compress_ratio
    wide = 2 if ratio == _OVERLAP else 1
    widths = [2 * wide * attention.head_dim * 4] if ratio else []
    if ratio and attention.indexer is not None:
        widths.append(2 * wide * attention.indexer.head_dim * 4)
    entry = entry_bytes(attention, kv_cache)
    states = wide * ratio
    if not paged:
        return window * entry + states * sum(widths)
    page = _STATE_PAGE[wide > 1]
    total = (window // _WINDOW_PAGE + 1) * _aligned(_WINDOW_PAGE * entry)
    return total + sum((states // page + 1) * _aligned(page * width) for width in widths)


def _aligned(size: float) -> float:
    return -(-size // _ALIGNED) * _ALIGNED

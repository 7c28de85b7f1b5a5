"""Which block format llama.cpp gives each tensor of a mixed file such as Q4_K_M."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.formats import GGUF, PLAIN

if TYPE_CHECKING:
    from dstop.footprint.architecture.values import Tensor
    from dstop.footprint.formats import Format

MIXES = {"q4_k_m": "q4_k", "q5_k_m": "q5_k"}
"""Mixes, and the format of most of their tensors."""

_FALLBACK = {"q4_k": "q5_0", "q5_k": "q5_1", "q6_k": "q8_0"}
"""What a row that is no multiple of 256 elements gets instead (llama-quant.cpp)."""
_SUPERBLOCK = 256
_HALVES = ("v_proj", "qkv_proj", "kv_b_proj", "c_attn", "query_key_value")
"""Values, alone or fused: with `down_proj` they are the matrices that get more bits in some layers."""


def gguf_format(mix: str, tensor: Tensor, *, more: bool, tied: bool) -> Format:
    """Give the format of a tensor in a file of llama.cpp.

    Vectors, norms and routers are fp32. The head is Q6_K in the K mixes and in Q4_0; values and the down projections
    are Q6_K in half of the layers of a mix (`more`); the rest is the mix's own. Source: `llama_tensor_get_type` of
    llama.cpp's llama-quant.cpp.
    """
    if len(tensor.shape) < 2 or tensor.role in {"norm", "router", "position"}:  # noqa: PLR2004 - vectors
        return PLAIN["fp32"]
    name = MIXES.get(mix, mix)
    high = "q8_0" if mix == "q8_0" else "q6_k"
    if (
        tensor.role == "head"
        or (tensor.role == "embedding" and tied)
        or (mix in MIXES and more and _is_half(tensor.name))
    ):
        name = high
    if tensor.shape[-1] % _SUPERBLOCK and name in _FALLBACK:
        name = _FALLBACK[name]
    return GGUF[name]


def _is_half(name: str) -> bool:
    return name.endswith(("down_proj", "c_proj", "fc2", "dense_4h_to_h")) or name.endswith(_HALVES)


def share_of_more(layers: int) -> float:
    """Give the share of layers whose values and down projections get more bits: the first eighth, the last
    eighth and every third between (`use_more_bits` of llama-quant.cpp).
    """  # noqa: D205 - one sentence
    eighth = layers // 8
    chosen = sum(
        index < eighth or index >= 7 * layers // 8 or (index - eighth) % 3 == 2  # noqa: PLR2004 - as in the source
        for index in range(layers)
    )
    return chosen / layers

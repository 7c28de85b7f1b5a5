"""Which block format llama.cpp gives each tensor of a mixed file such as Q4_K_M."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from dstop.footprint.formats import GGUF, PLAIN

if TYPE_CHECKING:
    from dstop.footprint.architecture.values import Layer, Tensor
    from dstop.footprint.formats import Format

MIXES = {"q4_k_m": "q4_k", "q5_k_m": "q5_k"}
"""Mixes, and the format of most of their tensors."""

_FALLBACK = {"q4_k": "q5_0", "q5_k": "q5_1", "q6_k": "q8_0"}
"""What a row that is no multiple of 256 elements gets instead (llama-quant.cpp)."""
_SUPERBLOCK = 256
_VALUES = ("v_proj", "qkv_proj", "kv_b_proj", "c_attn", "query_key_value")
"""Values, alone or fused."""
_DOWN = ("down_proj", "c_proj", "fc2", "dense_4h_to_h")
"""Down projections: with values they are the matrices that get more bits in some layers."""
WORD_BYTES = 40
"""What a file of llama.cpp has for each word of the vocabulary: its text, type and score, and the merges. The files of
Llama-2-7B and Llama-3-8B are 0.74 and 7.8 MB above their tensors, 23 and 61 bytes a word."""


def gguf_format(mix: str, tensor: Tensor, *, more: bool, tied: bool, eight: bool = False) -> Format:
    """Give the format of a tensor in a file of llama.cpp.

    Vectors, norms and routers are fp32. The head is Q6_K in the K mixes and in Q4_0; values and the down projections
    are Q6_K in half of the layers of a mix; models of eight experts have small attention, of which keys and values are
    Q8_0 and the output Q5_K; the rest is the mix's own. Source: `llama_tensor_get_type` of llama.cpp's llama-quant.cpp.

    Args:
        mix: the name of the file's type.
        tensor: whose.
        more: whether its layer is one of those that get more bits.
        tied: whether the embedding is the head too.
        eight: whether the model has eight experts a layer.
    """
    if len(tensor.shape) < 2 or tensor.role in {"norm", "router", "position"}:  # noqa: PLR2004 - vectors
        return PLAIN["fp32"]
    name = MIXES.get(mix, mix)
    if tensor.role == "head" or (tensor.role == "embedding" and tied):
        name = "q8_0" if mix == "q8_0" else "q6_k"
    elif mix in MIXES:
        name = _mixed(tensor.name, name, more=more, eight=eight)
    if tensor.shape[-1] % _SUPERBLOCK and name in _FALLBACK:
        name = _FALLBACK[name]
    return GGUF[name]


def _mixed(tensor: str, name: str, *, more: bool, eight: bool) -> str:
    if eight and tensor.endswith(("k_proj", "v_proj")):
        return "q8_0"
    if eight and tensor.endswith("o_proj"):
        return "q5_k"
    return "q6_k" if more and tensor.endswith((*_DOWN, *_VALUES)) else name


def shares_of_more(layers: tuple[Layer, ...]) -> dict[int, float]:
    """Give by identity of a layer which share of its kind gets more bits in values and down projections.

    The first eighth of all layers, the last, and every third between (`use_more_bits` of llama-quant.cpp).
    """
    count = len(layers)
    eighth, last = count // 8, 7 * count // 8
    chosen: Counter[int] = Counter()
    for index, layer in enumerate(layers):
        more = index < eighth or index >= last or (index - eighth) % 3 == 2  # noqa: PLR2004 - as in the source
        chosen[id(layer)] += more
    return {kind: chosen[kind] / many for kind, many in Counter(map(id, layers)).items()}

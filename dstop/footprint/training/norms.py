"""What norms keep, by whose code they are: which tensors are in fp32, and which are there twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.training.setting import SINGLE

if TYPE_CHECKING:
    from dstop.footprint.architecture.values import Architecture, Layer
    from dstop.footprint.training.setting import Setting

RMS, RMS32, LAYER, CENTRED = "rms", "rms32", "layer", "centred"
_WEIGHTED_IN_FP32 = ("gemma", "olmo2", "olmo3")
"""Families whose RMSNorm multiplies with its weight before it goes back to half precision (`Gemma2RMSNorm`,
`Olmo2RMSNorm` of transformers): the normed tensor is kept in fp32."""
PRE_NORMS = 2
"""Norms of a layer that matrices read; further ones are after attention and after the block."""


def norm_style(architecture: Architecture) -> str:
    """Give how a family writes its norms."""
    if architecture.norm == "layer":
        return CENTRED if architecture.family.startswith("cohere") else LAYER
    return RMS32 if architecture.family.startswith(_WEIGHTED_IN_FP32) else RMS


def norms_of(layer: Layer, hidden: int) -> int:
    """Count the norms of a layer over the residual stream: two, one where attention and block are parallel, or four."""
    return sum(
        tensor.role == "norm"
        and tensor.shape == (hidden,)
        and tensor.name not in _NOT_OF_THE_STREAM
        and not tensor.name.endswith(".bias")
        for tensor in layer.tensors
    )


_NOT_OF_THE_STREAM = frozenset({"q_norm", "k_norm", "q_layernorm", "k_layernorm"})


def norm_kept(
    size: int, setting: Setting, style: str, entering: int, consumers: int, *, ways: int | None = None
) -> dict[str, float]:
    """Give what a norm over `size` elements and the matrices after it keep: `norm` and `normed`.

    RMSNorm that is not fused upcasts to fp32 and keeps that, the reciprocal of its root mean square and the normed
    tensor before its weight (transformers' `LlamaRMSNorm`); Cohere's LayerNorm keeps the centred input twice.
    PyTorch's LayerNorm and fused norms keep their input. Each matrix keeps its input: one storage for all of them, or
    a cast each under autocast. What is frozen keeps neither.
    """
    rows = setting.tokens / (ways or setting.sp)
    elements = rows * size
    if setting.fused or style == LAYER:
        inner = entering * elements + (2 * SINGLE if style == LAYER else SINGLE) * rows
    else:
        inner = (2 if style == CENTRED else 1) * SINGLE * elements + SINGLE * rows
        if not setting.frozen:
            inner += (entering if style == RMS else SINGLE) * elements
    copies = consumers if setting.casts else min(1, consumers)
    after = 0.0 if setting.frozen else setting.linear * elements * copies
    return {"norm": inner, "normed": after}

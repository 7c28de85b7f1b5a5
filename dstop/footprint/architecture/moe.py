"""Decoders with grouped-query attention, whose layers are dense or have experts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.architecture.dense import around, layer_norms, self_attention
from dstop.footprint.architecture.heads import read_heads
from dstop.footprint.architecture.mixture import dense_block, mixture_block
from dstop.footprint.architecture.parts import stack
from dstop.footprint.architecture.values import Layer
from dstop.footprint.architecture.windows import read_windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.footprint.architecture.dense import Style
    from dstop.footprint.architecture.fields import Fields
    from dstop.footprint.architecture.mixture import Mixture
    from dstop.footprint.architecture.values import Architecture, Experts, Mlp, Tensor


def read_moe(fields: Fields, style: Style, mixture: Mixture | None, sparse: Sequence[bool]) -> Architecture:
    """Read a decoder of which the layers marked in `sparse` have the experts of `mixture`, and the rest are dense."""
    hidden = fields.count("hidden", "hidden_size")
    heads = read_heads(fields, hidden)
    activation = fields.word("hidden_act", default=style.activation)

    def build(window: int | None, expert: bool) -> Layer:
        attention, tensors = self_attention(fields, style, hidden, heads, window)
        block: Mlp | Experts
        more: tuple[Tensor, ...]
        if expert and mixture is not None:
            block, more = mixture_block(mixture, hidden, activation)
        else:
            block, more = dense_block(hidden, fields.count("width", "intermediate_size"), activation)
        norms = layer_norms(style, hidden)
        return Layer(attention=attention, feed_forward=block, tensors=(*tensors, *more, *norms))

    windows = read_windows(fields, len(sparse))
    return around(fields, style, hidden, stack(zip(windows, sparse, strict=True), build))

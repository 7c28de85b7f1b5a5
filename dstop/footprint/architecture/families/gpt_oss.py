"""gpt-oss: attention sinks, biases, experts with fused gate and up. Source: transformers, modeling_gpt_oss.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.architecture.dense import Style, around, layer_norms, self_attention
from dstop.footprint.architecture.heads import read_heads
from dstop.footprint.architecture.mixture import read_mixture
from dstop.footprint.architecture.parts import linear, stack
from dstop.footprint.architecture.values import Experts, Layer, Tensor
from dstop.footprint.architecture.windows import read_windows

if TYPE_CHECKING:
    from dstop.footprint.architecture.fields import Fields
    from dstop.footprint.architecture.mixture import Mixture
    from dstop.footprint.architecture.values import Architecture

STYLE = Style(qkv_bias=True, out_bias=True)


def read(fields: Fields, family: str) -> Architecture:  # noqa: ARG001 - readers are called alike
    """Read a config of gpt-oss: every other layer slides, each head has a sink."""
    hidden = fields.count("hidden", "hidden_size")
    count = fields.count("layers", "num_hidden_layers")
    heads = read_heads(fields, hidden)
    mixture = read_mixture(fields)
    block = Experts(routed=mixture.routed, per_token=mixture.per_token, width=mixture.width)

    def build(window: int | None) -> Layer:
        attention, tensors = self_attention(fields, STYLE, hidden, heads, window)
        sinks = Tensor(name="sinks", shape=(heads.queries,), role="attention", split="column")
        return Layer(
            attention=attention,
            feed_forward=block,
            tensors=(*tensors, sinks, *_experts(mixture, hidden), *layer_norms(STYLE, hidden)),
            fused=("experts.gate_up_proj",),
        )

    windows = read_windows(fields, count, pattern=2)
    return around(fields, STYLE, hidden, stack(((window,) for window in windows), build))


def _experts(mixture: Mixture, hidden: int) -> tuple[Tensor, ...]:
    count, width = mixture.routed, mixture.width
    return (
        *linear("router", count, hidden, "router", bias=True),
        Tensor(
            name="experts.gate_up_proj", shape=(2 * width, hidden), role="expert", split="column", count=count
        ),
        Tensor(
            name="experts.gate_up_proj.bias", shape=(2 * width,), role="expert", split="column", count=count
        ),
        Tensor(name="experts.down_proj", shape=(hidden, width), role="expert", split="row", count=count),
        Tensor(name="experts.down_proj.bias", shape=(hidden,), role="expert", count=count),
    )

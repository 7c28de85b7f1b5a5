"""StarCoder 2: biases everywhere, LayerNorm, no gate. Source: transformers, modeling_starcoder2.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.architecture.dense import Style, read_dense

if TYPE_CHECKING:
    from dstop.footprint.architecture.fields import Fields
    from dstop.footprint.architecture.values import Architecture


def read(fields: Fields, family: str) -> Architecture:  # noqa: ARG001 - readers are called alike
    """Read a config of StarCoder 2; `use_bias` is of all matrices but the head."""
    bias = fields.flag("use_bias", default=True)
    style = Style(
        qkv_bias=bias,
        out_bias=bias,
        bias_field="",
        mlp_bias=bias,
        gated=False,
        mlp_names=("c_fc", "c_proj"),
        norm_bias=True,
        kind="layer",
        tied=True,
        activation="gelu_pytorch_tanh",
    )
    return read_dense(fields, style)

"""GPT-NeoX and Pythia: fused q, k, v, biases, LayerNorm. Source: transformers, modeling_gpt_neox.py."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.footprint.architecture.dense import Style, read_dense

if TYPE_CHECKING:
    from dstop.footprint.architecture.fields import Fields
    from dstop.footprint.architecture.values import Architecture


def read(fields: Fields, family: str) -> Architecture:  # noqa: ARG001 - readers are called alike
    """Read a config of GPT-NeoX; `attention_bias` is true where it is not said (configuration_gpt_neox.py)."""
    bias = fields.flag("attention_bias", default=True)
    style = Style(
        qkv_bias=bias,
        out_bias=bias,
        bias_field="",
        mlp_bias=True,
        gated=False,
        mlp_names=("dense_h_to_4h", "dense_4h_to_h"),
        norm_bias=True,
        kind="layer",
        fused=("qkv_proj",),
        activation="gelu",
    )
    dropout = fields.share("hidden_dropout")
    return replace(read_dense(fields, style), residual_dropout=dropout, embedding_dropout=dropout)

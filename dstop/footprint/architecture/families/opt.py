"""OPT: learned positions (two more than it says), biases, LayerNorm. Source: transformers, modeling_opt.py."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.footprint.architecture.dense import Style, read_dense
from dstop.footprint.architecture.fields import Fields
from dstop.footprint.architecture.values import Tensor

if TYPE_CHECKING:
    from dstop.footprint.architecture.values import Architecture

OFFSET = 2
"""Rows of the position table before the first position (OPTLearnedPositionalEmbedding)."""


def read(fields: Fields, family: str) -> Architecture:  # noqa: ARG001 - readers are called alike
    """Read a config of OPT; 350m is refused: it projects its embedding and norms after the blocks."""
    hidden = fields.count("hidden", "hidden_size")
    if fields.count("hidden", "word_embed_proj_dim", default=hidden) != hidden:
        raise fields.refuse(
            "word_embed_proj_dim", f"differs from hidden_size {hidden}", "another size of OPT"
        )
    for name in ("do_layer_norm_before", "layer_norm_elementwise_affine"):
        if not fields.flag(name, default=True):
            raise fields.refuse(name, "has no arithmetic in dstop", "another size of OPT")
    if fields.flag("_remove_final_layer_norm"):
        raise fields.refuse("_remove_final_layer_norm", "has no arithmetic in dstop", "another size of OPT")
    bias = fields.flag("enable_bias", default=True)
    style = Style(
        qkv_bias=bias,
        out_bias=bias,
        bias_field="",
        mlp_bias=bias,
        gated=False,
        mlp_names=("fc1", "fc2"),
        norm_bias=True,
        norms=("self_attn_layer_norm", "final_layer_norm"),
        kind="layer",
        tied=True,
        activation="relu",
    )
    named = Fields(
        {**fields.config, "intermediate_size": fields.count("width", "ffn_dim"), "hidden_act": "relu"}
    )
    model = read_dense(named, style)
    positions = fields.count("positions", "max_position_embeddings", default=2048)
    table = Tensor(name="embed_positions", shape=(positions + OFFSET, hidden), role="position")
    dropout = fields.share("dropout", 0.1)
    return replace(
        model, embedding=(*model.embedding, table), residual_dropout=dropout, embedding_dropout=dropout
    )

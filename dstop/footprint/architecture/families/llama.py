"""Llama, Mistral, Granite, SmolLM3, Arcee, ERNIE 4.5, GLM 4. Source: transformers, modeling_llama.py and its likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.architecture.dense import PRE_NORMS, Style, read_dense

if TYPE_CHECKING:
    from dstop.footprint.architecture.fields import Fields
    from dstop.footprint.architecture.values import Architecture

FOUR = (*PRE_NORMS, "post_self_attn_layernorm", "post_mlp_layernorm")
STYLES = {
    "llama": Style(mlp_bias_field="mlp_bias"),
    "mistral": Style(bias_field=""),
    "granite": Style(mlp_bias_field="mlp_bias"),
    "smollm3": Style(mlp_bias_field="mlp_bias", tied=True),
    "arcee": Style(mlp_bias_field="mlp_bias", gated=False, activation="relu2"),
    "ernie4_5": Style(bias_field="use_bias", mlp_bias_field="use_bias", tied=True),
    "glm": Style(qkv_bias=True, fused=("gate_up_proj",)),
    "glm4": Style(qkv_bias=True, fused=("gate_up_proj",), norms=FOUR),
}


def read(fields: Fields, family: str) -> Architecture:
    """Read a config of the family."""
    return read_dense(fields, STYLES[family])

"""Llama, Mistral, Granite, SmolLM3. Source: transformers, modeling_llama.py and its likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.architecture.dense import Style, read_dense

if TYPE_CHECKING:
    from dstop.footprint.architecture.fields import Fields
    from dstop.footprint.architecture.values import Architecture

STYLES = {
    "llama": Style(mlp_bias_field="mlp_bias"),
    "mistral": Style(bias_field=""),
    "granite": Style(mlp_bias_field="mlp_bias"),
    "smollm3": Style(mlp_bias_field="mlp_bias", tied=True),
}


def read(fields: Fields, family: str) -> Architecture:
    """Read a config of the family."""
    return read_dense(fields, STYLES[family])

"""Mixtral: eight experts, two a token. Source: transformers, modeling_mixtral.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.architecture.dense import Style
from dstop.footprint.architecture.mixture import read_mixture
from dstop.footprint.architecture.moe import read_moe

if TYPE_CHECKING:
    from dstop.footprint.architecture.fields import Fields
    from dstop.footprint.architecture.values import Architecture


def read(fields: Fields, family: str) -> Architecture:  # noqa: ARG001 - readers are called alike
    """Read a config of Mixtral; every layer has experts."""
    count = fields.count("layers", "num_hidden_layers")
    return read_moe(fields, Style(bias_field=""), read_mixture(fields), [True] * count)

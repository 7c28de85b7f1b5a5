"""Command R, R+ and A: one norm before parallel blocks, tied heads. Source: transformers, modeling_cohere.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.architecture.dense import Style, read_dense

if TYPE_CHECKING:
    from dstop.footprint.architecture.fields import Fields
    from dstop.footprint.architecture.values import Architecture

ONE = ("input_layernorm",)


def read(fields: Fields, family: str) -> Architecture:
    """Read a config of either; Command R+ norms each head of queries and keys with weights of its own."""
    if family == "cohere2":
        return read_dense(fields, Style(tied=True, norms=ONE, kind="layer", window_pattern=4))
    normed = fields.flag("use_qk_norm")
    return read_dense(fields, Style(tied=True, norms=ONE, kind="layer", qk_norm="heads" if normed else ""))

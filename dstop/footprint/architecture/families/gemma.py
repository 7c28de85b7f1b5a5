"""Gemma 1, 2 and 3 (text): tied heads, GELU, four norms a layer from 2 on, sliding windows by turns.

Source: transformers, modeling_gemma.py, modeling_gemma2.py, modeling_gemma3.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.architecture.dense import PRE_NORMS, Style, read_dense

if TYPE_CHECKING:
    from dstop.footprint.architecture.fields import Fields
    from dstop.footprint.architecture.values import Architecture

FOUR = (*PRE_NORMS, "pre_feedforward_layernorm", "post_feedforward_layernorm")
GELU = "gelu_pytorch_tanh"
STYLES = {
    "gemma": Style(tied=True, activation=GELU),
    "gemma2": Style(tied=True, activation=GELU, norms=FOUR, window_pattern=2),
    "gemma3_text": Style(tied=True, activation=GELU, norms=FOUR, qk_norm="head", window_pattern=6),
}


def read(fields: Fields, family: str) -> Architecture:
    """Read a config of the family."""
    return read_dense(fields, STYLES[family])

"""OLMo 1 (norms without weights), 2 and 3 (norms after the blocks, of whole queries and keys), and OLMoE.

Source: transformers, modeling_olmo.py, modeling_olmo2.py, modeling_olmo3.py, modeling_olmoe.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.architecture.dense import Style, read_dense
from dstop.footprint.architecture.mixture import read_mixture
from dstop.footprint.architecture.moe import read_moe

if TYPE_CHECKING:
    from dstop.footprint.architecture.fields import Fields
    from dstop.footprint.architecture.values import Architecture

AFTER = ("post_attention_layernorm", "post_feedforward_layernorm")
STYLES = {
    "olmo": Style(norm_weight=False, kind="layer"),
    "olmo2": Style(qk_norm="whole", norms=AFTER),
    "olmo3": Style(qk_norm="whole", norms=AFTER, window_pattern=4),
    "olmoe": Style(qk_norm="whole"),
}


def read(fields: Fields, family: str) -> Architecture:
    """Read a config of the family."""
    style = STYLES[family]
    if family != "olmoe":
        return read_dense(fields, style)
    return read_moe(fields, style, read_mixture(fields), [True] * fields.count("layers", "num_hidden_layers"))

"""Phi 3 and 4 (fused projections), Phi 1 and 2 (parallel blocks with biases).

Source: transformers, modeling_phi3.py, modeling_phi.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.footprint.architecture.dense import Style, read_dense
from dstop.footprint.architecture.parts import head

if TYPE_CHECKING:
    from dstop.footprint.architecture.fields import Fields
    from dstop.footprint.architecture.values import Architecture

PHI3 = Style(fused=("qkv_proj", "gate_up_proj"), bias_field="")
PHI = Style(
    qkv_bias=True,
    out_bias=True,
    bias_field="",
    norms=("input_layernorm",),
    norm_bias=True,
    kind="layer",
    gated=False,
    mlp_names=("fc1", "fc2"),
    mlp_bias=True,
    activation="gelu_new",
)


def read(fields: Fields, family: str) -> Architecture:
    """Read a config of the family."""
    if family == "phi3":
        return read_dense(fields, PHI3)
    if fields.flag("qk_layernorm"):
        raise fields.refuse("qk_layernorm", "has norms that dstop has no arithmetic for", "false")
    model = read_dense(fields, PHI)
    if model.tied:
        return model
    output = tuple(tensor for tensor in model.output if tensor.role != "head")
    return replace(model, output=(*output, *head(model.vocab, model.hidden, bias=True)))

"""Qwen 2 (biases on q, k, v) and Qwen 3 (norms on q and k), dense and with experts; Seed-OSS.

Source: transformers, modeling_qwen2.py, modeling_qwen3.py, modeling_qwen2_moe.py, modeling_qwen3_moe.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.errors import PlanError
from dstop.footprint.architecture.dense import Style, read_dense
from dstop.footprint.architecture.mixture import read_mixture
from dstop.footprint.architecture.moe import read_moe

if TYPE_CHECKING:
    from dstop.footprint.architecture.fields import Fields
    from dstop.footprint.architecture.values import Architecture

STYLES = {
    "qwen2": Style(qkv_bias=True, bias_field=""),
    "qwen2_moe": Style(qkv_bias=True, bias_field=""),
    "qwen3": Style(qk_norm="head"),
    "qwen3_moe": Style(qk_norm="head"),
    "seed_oss": Style(qkv_bias=True),
}


def read(fields: Fields, family: str) -> Architecture:
    """Read a config of the family."""
    style = STYLES[family]
    if family == "seed_oss":
        style = replace(style, out_bias=fields.flag("attention_out_bias"))
    if not family.endswith("_moe"):
        return read_dense(fields, style)
    return _read_moe(fields, style)


def _read_moe(fields: Fields, style: Style) -> Architecture:
    """Every `decoder_sparse_step`-th layer has experts, but those of `mlp_only_layers`."""
    count = fields.count("layers", "num_hidden_layers")
    mixture = read_mixture(fields)
    if style.qkv_bias:
        shared = fields.count("width", "shared_expert_intermediate_size")
        mixture = replace(mixture, shared_width=shared, shared_gate=True)
    step = fields.count("layers", "decoder_sparse_step", default=1)
    dense = _dense_layers(fields)
    sparse = [index not in dense and (index + 1) % step == 0 for index in range(count)]
    return read_moe(fields, style, mixture, sparse)


def _dense_layers(fields: Fields) -> frozenset[int]:
    value = fields.config.get("mlp_only_layers") or ()
    if not isinstance(value, list | tuple) or not all(type(item) is int for item in value):
        raise PlanError("mlp_only_layers is no list of layers", fix="whole numbers from 0")
    return frozenset(value)

"""DeepSeekMoE (V1), GLM 4.5 and dots.llm1 with experts: grouped-query attention, shared and routed experts.

Sources: arXiv 2401.06066; deepseek-ai/deepseek-moe-16b-base, modeling_deepseek.py; transformers, modeling_glm4_moe.py,
modeling_dots1.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.footprint.architecture.dense import Style
from dstop.footprint.architecture.mixture import read_sparse
from dstop.footprint.architecture.moe import read_moe
from dstop.footprint.architecture.parts import next_token_join

if TYPE_CHECKING:
    from dstop.footprint.architecture.fields import Fields
    from dstop.footprint.architecture.values import Architecture


def read(fields: Fields, family: str) -> Architecture:
    """Read a config of the family; GLM has norms of queries and keys where `use_qk_norm` says so."""
    count = fields.count("layers", "num_hidden_layers")
    glm = family == "glm4_moe"
    normed = family == "dots1" or (glm and fields.flag("use_qk_norm"))
    style = Style(qk_norm="head" if normed else "", qkv_bias=False)
    if glm and fields.flag("attention_bias"):
        style = replace(style, qkv_bias=True)
    mixture, sparse = read_sparse(fields, count, bias=family != "deepseek")
    model = read_moe(fields, style, mixture, sparse)
    extra = fields.count("layers", "num_nextn_predict_layers", default=0, least=0)
    if not extra:
        return model
    last = model.layers[-1]
    module = replace(last, tensors=last.tensors + next_token_join(model.hidden))
    return replace(model, next_token=(module,) * extra)

"""Multi-head latent attention with experts: DeepSeek V2, V3, V3.2, and who took them over: Kimi K2, Moonlight, GLM 5.

Sources: arXiv 2405.04434, section 2.1 (MLA); arXiv 2412.19437, section 2 (router bias, next-token modules);
deepseek-ai/DeepSeek-V3.2-Exp, inference/model.py (indexer); transformers, modeling_deepseek_v3.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from dstop.footprint.architecture.dense import Style, around, layer_norms
from dstop.footprint.architecture.mixture import dense_block, mixture_block, read_sparse
from dstop.footprint.architecture.parts import linear, next_token_join, norm, stack
from dstop.footprint.architecture.values import Attention, Indexer, Layer, Tensor

if TYPE_CHECKING:
    from dstop.footprint.architecture.fields import Fields
    from dstop.footprint.architecture.values import Architecture, Experts, Mlp

STYLE = Style()
WITH_INDEXER = frozenset({"deepseek_v32", "glm_moe_dsa"})


class Ranks(NamedTuple):
    """What MLA compresses to, and the sizes of its heads."""

    heads: int
    q: int | None
    kv: int
    nope: int
    rope: int
    value: int
    bias: bool


def read(fields: Fields, family: str) -> Architecture:
    """Read a config of the family: `first_k_dense_replace` dense layers, then experts every `moe_layer_freq`."""
    hidden = fields.count("hidden", "hidden_size")
    count = fields.count("layers", "num_hidden_layers")
    ranks = _ranks(fields)
    indexer = _indexer(fields, ranks) if family in WITH_INDEXER else None
    owns = _own_indexers(fields, count) if indexer is not None else [False] * count
    mixture, sparse = read_sparse(fields, count, bias=family != "deepseek_v2")
    activation = fields.word("hidden_act", default="silu")

    def build(expert: bool, own: bool) -> Layer:
        attention, tensors = _attention(fields, ranks, hidden, indexer if own else None)
        block: Mlp | Experts
        if expert and mixture is not None:
            block, more = mixture_block(mixture, hidden, activation)
        else:
            block, more = dense_block(hidden, fields.count("width", "intermediate_size"), activation)
        tensors += (*more, *layer_norms(STYLE, hidden))
        return Layer(attention=attention, feed_forward=block, tensors=tensors)

    layers = stack(zip(sparse, owns, strict=True), build)
    extra = fields.count("layers", "num_nextn_predict_layers", default=0, least=0)
    model = around(fields, STYLE, hidden, layers)
    if not extra:
        return model
    last = build(sparse[-1], indexer is not None)
    return replace(model, next_token=(replace(last, tensors=last.tensors + next_token_join(hidden)),) * extra)


def _ranks(fields: Fields) -> Ranks:
    return Ranks(
        heads=fields.count("heads", "num_attention_heads"),
        q=fields.maybe("hidden", "q_lora_rank"),
        kv=fields.count("hidden", "kv_lora_rank"),
        nope=fields.count("head_dim", "qk_nope_head_dim"),
        rope=fields.count("head_dim", "qk_rope_head_dim"),
        value=fields.count("head_dim", "v_head_dim"),
        bias=fields.flag("attention_bias"),
    )


def _attention(
    fields: Fields, ranks: Ranks, hidden: int, indexer: Indexer | None
) -> tuple[Attention, tuple[Tensor, ...]]:
    """The down-projections and norms are whole on every rank; what is per head is divided."""
    size = ranks.nope + ranks.rope
    tensors: tuple[Tensor, ...]
    if ranks.q is None:
        tensors = linear("q_proj", ranks.heads * size, hidden, "attention", "column")
    else:
        tensors = (
            *linear("q_a_proj", ranks.q, hidden, "attention", bias=ranks.bias),
            *norm("q_a_layernorm", ranks.q),
            *linear("q_b_proj", ranks.heads * size, ranks.q, "attention", "column"),
        )
    wide = ranks.heads * (ranks.nope + ranks.value)
    tensors += (
        *linear("kv_a_proj_with_mqa", ranks.kv + ranks.rope, hidden, "attention", bias=ranks.bias),
        *norm("kv_a_layernorm", ranks.kv),
        *linear("kv_b_proj", wide, ranks.kv, "attention", "column"),
        *linear("o_proj", hidden, ranks.heads * ranks.value, "attention", "row", bias=ranks.bias),
    )
    if indexer is not None:
        tensors += _indexer_tensors(indexer, hidden, ranks.q or hidden)
    attention = Attention(
        kind="mla",
        heads=ranks.heads,
        kv_heads=ranks.heads,
        head_dim=size,
        value_dim=ranks.value,
        q_rank=ranks.q,
        kv_rank=ranks.kv,
        rope_dim=ranks.rope,
        indexer=indexer,
        dropout=fields.share("attention_dropout"),
        bias=ranks.bias,
    )
    return attention, tensors


def _indexer(fields: Fields, ranks: Ranks) -> Indexer:
    if ranks.q is None:
        raise fields.refuse(
            "q_lora_rank", "is missing: the indexer reads the compressed query", "such as 1536"
        )
    return Indexer(
        heads=fields.count("heads", "index_n_heads"),
        head_dim=fields.count("head_dim", "index_head_dim"),
        top_k=fields.count("positions", "index_topk"),
    )


def _own_indexers(fields: Fields, count: int) -> list[bool]:
    """Which layers have an indexer of their own: GLM 5.2 lets most share that of the last `full` one before."""
    kinds = fields.each("indexer_types", count)
    if kinds is None:
        return [True] * count
    for kind in kinds:
        if kind not in {"full", "shared"}:
            raise fields.refuse(
                "indexer_types", "has a kind that is not known", "full or shared, for each layer"
            )
    return [kind == "full" for kind in kinds]


def _indexer_tensors(indexer: Indexer, hidden: int, q_rank: int) -> tuple[Tensor, ...]:
    """q_rank·nI·dI + h·dI + 2·dI + h·nI, whole on every rank; its head weights are not quantized."""
    weights = Tensor(name="indexer.weights_proj", shape=(indexer.heads, hidden), role="indexer", dtype="bf16")
    return (
        *linear("indexer.wq_b", indexer.heads * indexer.head_dim, q_rank, "indexer"),
        *linear("indexer.wk", indexer.head_dim, hidden, "indexer"),
        *norm("indexer.k_norm", indexer.head_dim, bias=True),
        weights,
    )

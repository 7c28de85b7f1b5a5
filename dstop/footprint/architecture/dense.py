"""The block that most decoders share: grouped-query attention, a feed-forward block, norms; in what they differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dstop.footprint.architecture.heads import read_heads
from dstop.footprint.architecture.parts import embedding, gated, head, linear, norm, projections, stack
from dstop.footprint.architecture.values import Architecture, Attention, Layer, Mlp, Tensor
from dstop.footprint.architecture.windows import read_windows
from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.footprint.architecture.fields import Fields
    from dstop.footprint.architecture.heads import Heads

PRE_NORMS = ("input_layernorm", "post_attention_layernorm")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Style(Value):
    """In what a family differs from Llama."""

    qkv_bias: bool = False
    """Where the config says nothing."""
    out_bias: bool = False
    bias_field: str = "attention_bias"
    """The field that says both; empty: the family has no such field."""
    mlp_bias_field: str = ""
    mlp_bias: bool = False
    qk_norm: Literal["", "head", "whole", "heads"] = ""
    """Norms of queries and keys: one weight a head dimension (Qwen3), one over all heads (OLMo 2), one a head
    and dimension (Cohere)."""
    norms: tuple[str, ...] = PRE_NORMS
    norm_bias: bool = False
    norm_weight: bool = True
    kind: Literal["rms", "layer"] = "rms"
    gated: bool = True
    mlp_names: tuple[str, str] = ("up_proj", "down_proj")
    """Of a block that is not gated."""
    fused: tuple[str, ...] = ()
    """Which of `qkv_proj` and `gate_up_proj` are one matrix."""
    tied: bool = False
    """Where the config does not say it."""
    window_pattern: int = 1
    activation: str = "silu"


def read_dense(fields: Fields, style: Style) -> Architecture:
    """Read a decoder whose layers are all dense."""
    hidden = fields.count("hidden", "hidden_size")
    count = fields.count("layers", "num_hidden_layers")
    width = fields.count("width", "intermediate_size")
    heads = read_heads(fields, hidden)
    bias = style.mlp_bias
    if style.mlp_bias_field:
        bias = fields.flag(style.mlp_bias_field, default=style.mlp_bias)
    activation = fields.word("hidden_act", "hidden_activation", default=style.activation)

    def build(window: int | None) -> Layer:
        attention, tensors = self_attention(fields, style, hidden, heads, window)
        if not style.gated:
            up, down = style.mlp_names
            block = (
                *linear(up, width, hidden, "mlp", "column", bias=bias),
                *linear(down, hidden, width, "mlp", "row", bias=bias),
            )
        elif "gate_up_proj" in style.fused:
            block = (
                *linear("gate_up_proj", 2 * width, hidden, "mlp", "column", bias=bias),
                *linear("down_proj", hidden, width, "mlp", "row", bias=bias),
            )
        else:
            block = gated(hidden, width, bias=bias)
        return Layer(
            attention=attention,
            feed_forward=Mlp(width=width, gated=style.gated, activation=activation, bias=bias),
            tensors=(*tensors, *block, *layer_norms(style, hidden)),
            fused=style.fused,
        )

    windows = read_windows(fields, count, pattern=style.window_pattern)
    return around(fields, style, hidden, stack(((window,) for window in windows), build))


def self_attention(
    fields: Fields, style: Style, hidden: int, heads: Heads, window: int | None
) -> tuple[Attention, tuple[Tensor, ...]]:
    """Give the attention of one layer, and its tensors with the norms of queries and keys."""
    bias, out = style.qkv_bias, style.out_bias
    if style.bias_field and style.bias_field in fields:
        bias = fields.flag(style.bias_field)
        out = bias and (style.out_bias or not style.qkv_bias)
    if "qkv_proj" in style.fused:
        wide = (heads.queries + 2 * heads.kv) * heads.size
        tensors: tuple[Tensor, ...] = (
            *linear("qkv_proj", wide, hidden, "attention", "column", bias=bias),
            *linear("o_proj", hidden, heads.queries * heads.size, "attention", "row", bias=out),
        )
    else:
        tensors = projections(hidden, heads.queries, heads.kv, heads.size, bias=bias, out_bias=out)
    tensors += _qk_norms(style, heads)
    attention = Attention(
        kind="gqa",
        heads=heads.queries,
        kv_heads=heads.kv,
        head_dim=heads.size,
        value_dim=heads.size,
        window=window,
        qk_norm=bool(style.qk_norm),
        dropout=fields.share("attention_dropout"),
        bias=bias,
    )
    return attention, tensors


def layer_norms(style: Style, hidden: int) -> tuple[Tensor, ...]:
    """Give the norms of one layer; none where they have no weights (OLMo)."""
    if not style.norm_weight:
        return ()
    return tuple(tensor for name in style.norms for tensor in norm(name, hidden, bias=style.norm_bias))


def around(fields: Fields, style: Style, hidden: int, layers: tuple[Layer, ...]) -> Architecture:
    """Give the whole model around its layers: embedding, last norm, head."""
    vocab = fields.count("vocab", "vocab_size")
    tied = fields.flag("tie_word_embeddings", default=style.tied)
    last = norm("norm", hidden, bias=style.norm_bias) if style.norm_weight else ()
    return Architecture(
        name="",
        family="",
        hidden=hidden,
        vocab=vocab,
        layers=layers,
        embedding=embedding(vocab, hidden),
        output=(*last, *(() if tied else head(vocab, hidden))),
        tied=tied,
        positions=fields.maybe("positions", "max_position_embeddings"),
        norm=style.kind,
        residual_dropout=fields.share("resid_pdrop"),
        embedding_dropout=fields.share("embd_pdrop"),
    )


def _qk_norms(style: Style, heads: Heads) -> tuple[Tensor, ...]:
    if style.qk_norm == "head":
        return (*norm("q_norm", heads.size), *norm("k_norm", heads.size))
    if style.qk_norm == "whole":
        return (*norm("q_norm", heads.queries * heads.size), *norm("k_norm", heads.kv * heads.size))
    if style.qk_norm == "heads":
        queries = Tensor(name="q_norm", shape=(heads.queries, heads.size), role="norm", split="column")
        keys = Tensor(name="k_norm", shape=(heads.kv, heads.size), role="norm", split="kv", heads=heads.kv)
        return (queries, keys)
    return ()

"""DeepSeek-V4: one shared key and value, compressed entries, grouped output, hyper-connections.

Source: vLLM's implementation and llama.cpp's loader as read in research; the sum for Flash is the 284.33 B that
llama.cpp prints. Per layer: attention h·q + q + q·nh·hd + h·hd + hd + nh·hd·o + g·o·h + nh; compressor of ratio 4
h·4hd + 4·2hd + hd, of ratio 128 h·2hd + 128·hd + hd; indexer (ratio 4) q·nI·dI + h·nI + h·4dI + 4·2dI + dI;
hyper-connections 2·(24·4h + 24 + 3) for four streams. Once: 4·4h + 5.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from dstop.footprint.architecture.dense import Style, around, layer_norms
from dstop.footprint.architecture.mixture import mixture_block, read_mixture
from dstop.footprint.architecture.parts import linear, norm, stack
from dstop.footprint.architecture.values import Attention, Indexer, Layer, Tensor

if TYPE_CHECKING:
    from dstop.footprint.architecture.fields import Fields
    from dstop.footprint.architecture.values import Architecture

STYLE = Style()
INDEXED = 4
"""The ratio whose layers choose entries by an indexer; its compressor overlaps, and so is twice as wide."""


class Shape(NamedTuple):
    """Sizes of the attention."""

    hidden: int
    heads: int
    size: int
    q: int
    out: int
    groups: int
    streams: int


def read(fields: Fields, family: str) -> Architecture:  # noqa: ARG001 - readers are called alike
    """Read a config of DeepSeek-V4; the ratios of its layers are in `compress_ratios`."""
    count = fields.count("layers", "num_hidden_layers")
    shape = _shape(fields)
    mixture = replace(read_mixture(fields), router_bias=True)
    hashed = fields.count("layers", "num_hash_layers", default=0, least=0)
    window = fields.count("positions", "sliding_window", default=128)
    activation = fields.word("hidden_act", default="silu")

    def build(ratio: int, routed: bool) -> Layer:
        indexer = _indexer(fields) if ratio == INDEXED else None
        block, more = mixture_block(replace(mixture, router_bias=routed), shape.hidden, activation)
        attention = Attention(
            kind="compressed",
            heads=shape.heads,
            kv_heads=1,
            head_dim=shape.size,
            value_dim=shape.size,
            window=window,
            q_rank=shape.q,
            rope_dim=fields.count("head_dim", "qk_rope_head_dim"),
            indexer=indexer,
            compress_ratio=ratio,
        )
        tensors = (*_attention(shape), *_compressor(shape, ratio), *_indexer_tensors(shape, indexer), *more)
        tensors += (*_streams(shape), *layer_norms(STYLE, shape.hidden))
        return Layer(attention=attention, feed_forward=block, tensors=tensors)

    ratios = _ratios(fields, count)
    layers = stack(((ratio, index >= hashed) for index, ratio in enumerate(ratios)), build)
    model = around(fields, STYLE, shape.hidden, layers)
    model = replace(model, output=(*model.output, *_mixing("hc_head", shape.streams, shape, 1)))
    extra = fields.count("layers", "num_nextn_predict_layers", default=0, least=0)
    if not extra:
        return model
    plain = build(0, True)
    return replace(model, next_token=(replace(plain, tensors=plain.tensors + _join(shape)),) * extra)


def _shape(fields: Fields) -> Shape:
    shape = Shape(
        hidden=fields.count("hidden", "hidden_size"),
        heads=fields.count("heads", "num_attention_heads"),
        size=fields.count("head_dim", "head_dim"),
        q=fields.count("hidden", "q_lora_rank"),
        out=fields.count("hidden", "o_lora_rank"),
        groups=fields.count("heads", "o_groups"),
        streams=fields.count("heads", "hc_mult", default=4),
    )
    if shape.heads % shape.groups:
        raise fields.refuse(
            "o_groups", f"does not divide the {shape.heads} attention heads", "a divisor of them"
        )
    return shape


def _ratios(fields: Fields, count: int) -> list[int]:
    """Give tokens an entry for each layer: 0 (window alone), 4 or 128.

    Some write 1 for the window alone; entries beyond the last layer are of next-token modules.
    """
    said = fields.config.get("compress_ratios")
    if not isinstance(said, list | tuple) or len(said) < count:
        raise fields.refuse("compress_ratios", f"is no list of {count}", "0, 4 or 128 for each layer")
    for ratio in said[:count]:
        if type(ratio) is not int or ratio not in {0, 1, INDEXED, 128}:
            raise fields.refuse(
                "compress_ratios", "has a ratio that is not known", "0, 4 or 128 for each layer"
            )
    return [0 if ratio == 1 else ratio for ratio in said[:count]]


def _attention(shape: Shape) -> tuple[Tensor, ...]:
    wide = shape.heads * shape.size
    return (
        *linear("wq_a", shape.q, shape.hidden, "attention"),
        *norm("q_norm", shape.q),
        *linear("wq_b", wide, shape.q, "attention", "column"),
        *linear("wkv", shape.size, shape.hidden, "attention"),
        *norm("kv_norm", shape.size),
        *linear("wo_a", shape.groups * shape.out, wide // shape.groups, "attention", "column"),
        *linear("wo_b", shape.hidden, shape.groups * shape.out, "attention", "row"),
        Tensor(name="attn_sink", shape=(shape.heads,), role="attention", split="column", dtype="fp32"),
    )


def _compressor(shape: Shape, ratio: int) -> tuple[Tensor, ...]:
    return () if ratio == 0 else _compress("compressor", shape.hidden, shape.size, ratio)


def _compress(name: str, hidden: int, size: int, ratio: int) -> tuple[Tensor, ...]:
    """Entries and their gates, an embedding of the places within an entry, and a norm."""
    wide = 2 * size if ratio == INDEXED else size
    return (
        *linear(f"{name}.wkv", wide, hidden, "other"),
        *linear(f"{name}.wgate", wide, hidden, "other"),
        Tensor(name=f"{name}.ape", shape=(ratio, wide), role="other", dtype="fp32"),
        *norm(f"{name}.norm", size),
    )


def _indexer(fields: Fields) -> Indexer:
    return Indexer(
        heads=fields.count("heads", "index_n_heads"),
        head_dim=fields.count("head_dim", "index_head_dim"),
        top_k=fields.count("positions", "index_topk"),
    )


def _indexer_tensors(shape: Shape, indexer: Indexer | None) -> tuple[Tensor, ...]:
    if indexer is None:
        return ()
    return (
        *linear("indexer.wq_b", indexer.heads * indexer.head_dim, shape.q, "indexer"),
        Tensor(
            name="indexer.weights_proj", shape=(indexer.heads, shape.hidden), role="indexer", dtype="bf16"
        ),
        *_compress("indexer.compressor", shape.hidden, indexer.head_dim, INDEXED),
    )


def _streams(shape: Shape) -> tuple[Tensor, ...]:
    """Two mixings a layer, each with (2 + n)·n outputs for n streams (24 for four) and three scales."""
    outputs = (2 + shape.streams) * shape.streams
    return (*_mixing("hc_attn", outputs, shape, 3), *_mixing("hc_ffn", outputs, shape, 3))


def _mixing(name: str, outputs: int, shape: Shape, scales: int) -> tuple[Tensor, ...]:
    into = shape.streams * shape.hidden
    return (
        Tensor(name=f"{name}.fn", shape=(outputs, into), role="other", dtype="fp32"),
        Tensor(name=f"{name}.base", shape=(outputs,), role="other", dtype="fp32"),
        Tensor(name=f"{name}.scale", shape=(scales,), role="other", dtype="fp32"),
    )


def _join(shape: Shape) -> tuple[Tensor, ...]:
    """What a next-token module has beside its layer: 2h² + 3h, and its own mixing of the streams."""
    hidden = shape.hidden
    return (
        *norm("enorm", hidden),
        *norm("hnorm", hidden),
        *linear("e_proj", hidden, hidden, "other"),
        *linear("h_proj", hidden, hidden, "other"),
        *norm("norm", hidden),
        *_mixing("hc_head", shape.streams, shape, 1),
    )

"""GPT-2: fused q, k, v with biases, learned positions, dropouts. Source: transformers, modeling_gpt2.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.architecture.heads import read_heads
from dstop.footprint.architecture.parts import embedding, head, linear, norm
from dstop.footprint.architecture.values import Architecture, Attention, Layer, Mlp, Tensor

if TYPE_CHECKING:
    from dstop.footprint.architecture.fields import Fields


def read(fields: Fields, family: str) -> Architecture:  # noqa: ARG001 - readers are called alike
    """Read a config of GPT-2; dropouts are 0.1 where it does not say them (configuration_gpt2.py)."""
    hidden = fields.count("hidden", "n_embd", "hidden_size")
    count = fields.count("layers", "n_layer", "num_hidden_layers")
    vocab = fields.count("vocab", "vocab_size")
    positions = fields.count("positions", "n_positions", "max_position_embeddings", "n_ctx", default=1024)
    width = fields.count("width", "n_inner", default=4 * hidden)
    heads = read_heads(fields, hidden)
    if heads.queries * heads.size != hidden or heads.kv != heads.queries:
        raise fields.refuse(
            "n_head", f"times the size of a head is not n_embd {hidden}", "a divisor of n_embd"
        )
    attention = Attention(
        kind="gqa",
        heads=heads.queries,
        kv_heads=heads.queries,
        head_dim=heads.size,
        value_dim=heads.size,
        dropout=fields.share("attn_pdrop", 0.1),
        bias=True,
    )
    tensors = (
        *norm("ln_1", hidden, bias=True),
        *linear("c_attn", 3 * hidden, hidden, "attention", "column", bias=True),
        *linear("attn.c_proj", hidden, hidden, "attention", "row", bias=True),
        *norm("ln_2", hidden, bias=True),
        *linear("c_fc", width, hidden, "mlp", "column", bias=True),
        *linear("mlp.c_proj", hidden, width, "mlp", "row", bias=True),
    )
    activation = fields.word("activation_function", default="gelu_new")
    block = Mlp(width=width, gated=False, activation=activation, bias=True)
    layer = Layer(attention=attention, feed_forward=block, tensors=tensors, fused=("c_attn",))
    tied = fields.flag("tie_word_embeddings", default=True)
    return Architecture(
        name="",
        family="",
        hidden=hidden,
        vocab=vocab,
        layers=(layer,) * count,
        embedding=(
            *embedding(vocab, hidden, "wte"),
            Tensor(name="wpe", shape=(positions, hidden), role="position"),
        ),
        output=(*norm("ln_f", hidden, bias=True), *(() if tied else head(vocab, hidden))),
        tied=tied,
        positions=positions,
        norm="layer",
        residual_dropout=fields.share("resid_pdrop", 0.1),
        embedding_dropout=fields.share("embd_pdrop", 0.1),
    )

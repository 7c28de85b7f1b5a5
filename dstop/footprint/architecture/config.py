"""A Hugging Face config.json as an `Architecture`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dstop.errors import PlanError
from dstop.footprint.architecture.values import Architecture, Attention, Layer, Mlp, Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_config(config: Mapping[str, Any], name: str | None = None) -> Architecture:
    """Read the dictionary of a config.json.

    Raises:
        PlanError: the architecture is not known, or a field is missing, of another kind or absurd; it names the field.
    """
    family = config.get("model_type")
    if family != "llama":
        raise PlanError(f"model: {family!r} is not known yet", fix="use a Llama config")
    hidden, vocab, heads = config["hidden_size"], config["vocab_size"], config["num_attention_heads"]
    kv, width = config.get("num_key_value_heads", heads), config["intermediate_size"]
    size = config.get("head_dim") or hidden // heads
    tensors = (
        Tensor(name="q_proj", shape=(heads * size, hidden), role="attention", split="column"),
        Tensor(name="k_proj", shape=(kv * size, hidden), role="attention", split="kv", heads=kv),
        Tensor(name="v_proj", shape=(kv * size, hidden), role="attention", split="kv", heads=kv),
        Tensor(name="o_proj", shape=(hidden, heads * size), role="attention", split="row"),
        Tensor(name="gate_proj", shape=(width, hidden), role="mlp", split="column"),
        Tensor(name="up_proj", shape=(width, hidden), role="mlp", split="column"),
        Tensor(name="down_proj", shape=(hidden, width), role="mlp", split="row"),
        Tensor(name="input_layernorm", shape=(hidden,), role="norm"),
        Tensor(name="post_attention_layernorm", shape=(hidden,), role="norm"),
    )
    layer = Layer(
        attention=Attention(kind="gqa", heads=heads, kv_heads=kv, head_dim=size, value_dim=size),
        feed_forward=Mlp(width=width),
        tensors=tensors,
    )
    tied = bool(config.get("tie_word_embeddings", False))
    head = () if tied else (Tensor(name="lm_head", shape=(vocab, hidden), role="head", split="vocab"),)
    return Architecture(
        name=name or "LlamaForCausalLM",
        family="llama",
        hidden=hidden,
        vocab=vocab,
        layers=(layer,) * config["num_hidden_layers"],
        embedding=(Tensor(name="embed_tokens", shape=(vocab, hidden), role="embedding", split="vocab"),),
        output=(Tensor(name="norm", shape=(hidden,), role="norm"), *head),
        tied=tied,
        positions=config.get("max_position_embeddings"),
    )

"""The tensors of the parts that layers are made of: attention, feed-forward blocks, norms.

Shapes are those of `torch.nn.Linear`, (out, in). Source of every shape: the modeling file of the family in Hugging
Face transformers; the tests hold each against what transformers itself builds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.architecture.values import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from dstop.footprint.architecture.values import Layer, Role, Split


def linear(
    name: str, out: int, into: int, role: Role, split: Split = "none", *, bias: bool = False, heads: int = 0
) -> tuple[Tensor, ...]:
    """Give a matrix (out, in), and its bias (out,).

    The bias is divided like the output; under a row split each rank would add it, so that it is whole on each.
    """
    weight = Tensor(name=name, shape=(out, into), role=role, split=split, heads=heads)
    if not bias:
        return (weight,)
    along: Split = "none" if split == "row" else split
    return (weight, Tensor(name=f"{name}.bias", shape=(out,), role=role, split=along, heads=heads))


def norm(name: str, size: int, *, bias: bool = False) -> tuple[Tensor, ...]:
    """Give the weight (n,) of a norm, and the bias of a LayerNorm."""
    weight = Tensor(name=name, shape=(size,), role="norm")
    return (weight, Tensor(name=f"{name}.bias", shape=(size,), role="norm")) if bias else (weight,)


def projections(
    hidden: int, heads: int, kv: int, size: int, *, bias: bool = False, out_bias: bool = False
) -> tuple[Tensor, ...]:
    """Give q, k, v and o of grouped-query attention (Ainslie et al., arXiv 2305.13245)."""
    return (
        *linear("q_proj", heads * size, hidden, "attention", "column", bias=bias),
        *linear("k_proj", kv * size, hidden, "attention", "kv", bias=bias, heads=kv),
        *linear("v_proj", kv * size, hidden, "attention", "kv", bias=bias, heads=kv),
        *linear("o_proj", hidden, heads * size, "attention", "row", bias=out_bias),
    )


def gated(
    hidden: int, width: int, *, role: Role = "mlp", prefix: str = "", bias: bool = False
) -> tuple[Tensor, ...]:
    """Give gate, up and down of a gated feed-forward block (Shazeer, arXiv 2002.05202)."""
    return (
        *linear(f"{prefix}gate_proj", width, hidden, role, "column", bias=bias),
        *linear(f"{prefix}up_proj", width, hidden, role, "column", bias=bias),
        *linear(f"{prefix}down_proj", hidden, width, role, "row", bias=bias),
    )


def experts(hidden: int, width: int, count: int) -> tuple[Tensor, ...]:
    """Give gate, up and down of all routed experts of a layer."""
    return (
        Tensor(name="experts.gate_proj", shape=(width, hidden), role="expert", split="column", count=count),
        Tensor(name="experts.up_proj", shape=(width, hidden), role="expert", split="column", count=count),
        Tensor(name="experts.down_proj", shape=(hidden, width), role="expert", split="row", count=count),
    )


def stack(kinds: Iterable[Hashable], build: Callable[..., Layer]) -> tuple[Layer, ...]:
    """Give one layer for each kind: `build(*kind)`, the same object for the same kind."""
    made: dict[Hashable, Layer] = {}
    layers = []
    for kind in kinds:
        if kind not in made:
            made[kind] = build(*kind) if isinstance(kind, tuple) else build(kind)
        layers.append(made[kind])
    return tuple(layers)


def embedding(vocab: int, hidden: int, name: str = "embed_tokens") -> tuple[Tensor, ...]:
    """Give the token embedding."""
    return (Tensor(name=name, shape=(vocab, hidden), role="embedding", split="vocab"),)


def head(vocab: int, hidden: int, name: str = "lm_head", *, bias: bool = False) -> tuple[Tensor, ...]:
    """Give the output head (vocab, hidden)."""
    return linear(name, vocab, hidden, "head", "vocab", bias=bias)


def next_token_join(hidden: int) -> tuple[Tensor, ...]:
    """Give what a next-token module has beside its layer: 2h² + 3h (DeepSeek-V3, arXiv 2412.19437, section 2.2)."""
    return (
        *norm("enorm", hidden),
        *norm("hnorm", hidden),
        *linear("eh_proj", hidden, 2 * hidden, "other"),
        *norm("shared_head.norm", hidden),
    )

"""How many heads an attention has, and of what size."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dstop.footprint.architecture.fields import Fields


class Heads(NamedTuple):
    """Query heads, key/value heads, and the size of one."""

    queries: int
    kv: int
    size: int


def read_heads(fields: Fields, hidden: int, kv_default: int | None = None) -> Heads:
    """Read the heads of grouped-query attention; without key/value heads each query head has its own.

    Raises:
        PlanError: key/value heads do not divide the heads, or no size of a head is said and heads do not divide the
            hidden size.
    """
    heads = fields.count("heads", "num_attention_heads", "n_head", "n_heads")
    kv = fields.count("heads", "num_key_value_heads", default=kv_default or heads)
    if heads % kv:
        raise fields.refuse(
            "num_key_value_heads", f"does not divide the {heads} attention heads", "a divisor of them"
        )
    size = fields.maybe("head_dim", "head_dim")
    if size is None:
        if hidden % heads:
            raise fields.refuse(
                "num_attention_heads",
                f"does not divide the hidden size {hidden}",
                "a divisor, or say head_dim",
            )
        size = hidden // heads
    return Heads(heads, kv, size)

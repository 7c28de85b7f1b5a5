"""Decoders whose feed-forward blocks are mixtures of experts, around the attention that most decoders share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dstop.footprint.architecture.parts import experts, gated, linear
from dstop.footprint.architecture.values import Experts, Mlp, Tensor
from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.footprint.architecture.fields import Fields


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Mixture(Value):
    """The experts of one layer."""

    routed: int
    per_token: int
    width: int
    shared_width: int = 0
    shared_gate: bool = False
    """A gate (1, hidden) on the shared expert (Qwen2-MoE)."""
    router_bias: bool = False
    """The bias of the auxiliary-loss-free balance, kept in fp32 (DeepSeek-V3, arXiv 2412.19437, section 2.1.2)."""


def read_mixture(fields: Fields) -> Mixture:
    """Read the experts by the names that DeepSeek, Qwen and Mixtral use for them.

    Raises:
        PlanError: a field is missing, or more experts are chosen than there are.
    """
    routed = fields.count(
        "experts", "n_routed_experts", "num_experts", "num_local_experts", "moe_num_experts"
    )
    per_token = fields.count("experts", "num_experts_per_tok", "moe_k")
    if per_token > routed:
        raise fields.refuse("num_experts_per_tok", f"is more than the {routed} experts", f"1 to {routed}")
    width = fields.count("width", "moe_intermediate_size", "intermediate_size")
    shared = fields.count("experts", "n_shared_experts", "moe_num_shared_experts", default=0, least=0)
    return Mixture(routed=routed, per_token=per_token, width=width, shared_width=shared * width)


def read_sparse(fields: Fields, count: int, *, bias: bool) -> tuple[Mixture | None, list[bool]]:
    """Give the experts, and which layers have them.

    Args:
        fields: the config.
        count: how many layers there are.
        bias: whether the router has its bias where `topk_method` does not say it.
    """
    if "n_routed_experts" not in fields:
        return None, [False] * count
    first = fields.count("layers", "first_k_dense_replace", default=0, least=0)
    step = fields.count("layers", "moe_layer_freq", default=1)
    sparse = [index >= first and index % step == 0 for index in range(count)]
    if not any(sparse):  # all are dense: what the config says of experts, or leaves out, has no bearing
        return None, sparse
    method = fields.word("topk_method")
    return replace(read_mixture(fields), router_bias=method == "noaux_tc" if method else bias), sparse


def mixture_block(
    mixture: Mixture, hidden: int, activation: str = "silu"
) -> tuple[Experts, tuple[Tensor, ...]]:
    """Give the feed-forward block of a layer with experts, and its tensors: router, routed and shared experts."""
    tensors = linear("gate", mixture.routed, hidden, "router")
    if mixture.router_bias:
        bias = Tensor(
            name="gate.e_score_correction_bias", shape=(mixture.routed,), role="router", dtype="fp32"
        )
        tensors += (bias,)
    tensors += experts(hidden, mixture.width, mixture.routed)
    if mixture.shared_width:
        tensors += gated(hidden, mixture.shared_width, role="shared_expert", prefix="shared_experts.")
    if mixture.shared_gate:
        tensors += linear("shared_expert_gate", 1, hidden, "router")
    block = Experts(
        routed=mixture.routed,
        per_token=mixture.per_token,
        width=mixture.width,
        shared_width=mixture.shared_width,
        activation=activation,
    )
    return block, tensors


def dense_block(hidden: int, width: int, activation: str = "silu") -> tuple[Mlp, tuple[Tensor, ...]]:
    """Give the feed-forward block of a dense layer among others."""
    return Mlp(width=width, activation=activation), gated(hidden, width)

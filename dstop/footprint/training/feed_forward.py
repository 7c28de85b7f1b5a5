"""What the feed-forward block of one layer keeps for its backward pass: dense, or with experts.

Sources: lists of saved tensors of real PyTorch with transformers' code (`tests/footprint/measuring/saved.py`); fused
kernels as in Megatron-LM (`bias_swiglu` keeps gate and up, the last matrix the product) and in what torch.compile's
partitioner keeps, which recomputes pointwise chains but not the inputs of matrices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.architecture.values import Experts, Mlp
from dstop.footprint.training.norms import norm_kept, norm_style
from dstop.footprint.training.setting import HALF, SINGLE

if TYPE_CHECKING:
    from dstop.footprint.architecture.values import Layer
    from dstop.footprint.spec.values import Spec
    from dstop.footprint.training.setting import Setting

GATED_EAGER, GATED_FUSED = 4, 3
"""gate, its activation, up, product; fused: the activation is computed again from gate."""
INDEX = 16
"""Bytes of indices and weights for each choice of an expert (int64 rows and columns)."""


def feed_forward_kept(layer: Layer, spec: Spec, setting: Setting) -> dict[str, float]:
    """Give bytes by part: `norm`, `normed`, `mlp` or `moe`, `moe_act`, `router`, `shared`."""
    hidden, block, style = spec.architecture.hidden, layer.feed_forward, norm_style(spec.architecture)
    if isinstance(block, Mlp):
        kept = norm_kept(hidden, setting, style, setting.residual, 1 + block.gated)
        kept["mlp"] = setting.tokens * mlp_bytes(block, setting, block.width) / setting.tp
        return kept
    shared = 2 if block.shared_width else 1
    kept = norm_kept(hidden, setting, style, setting.residual, shared)
    kept["router"] = _router(block, hidden, spec, setting)
    kept |= _experts(block, hidden, spec, setting)
    if block.shared_width:
        dense = Mlp(width=block.shared_width, activation=block.activation)
        kept["shared"] = setting.tokens * mlp_bytes(dense, setting, block.shared_width) / setting.tp
    return kept


def mlp_bytes(block: Mlp, setting: Setting, width: int) -> float:
    """Give bytes a token between the matrices of a dense block.

    The last matrix keeps its input only where it is trained. GPT-2's `gelu_new` is five operations in transformers:
    five tensors, of which autocast keeps three in fp32 and two in half precision.
    """
    last = 0.0 if setting.frozen else setting.linear
    element = setting.element
    if block.gated:
        inner = (GATED_FUSED if setting.fused else GATED_EAGER) - 1
        return width * (inner * element + last)
    if block.activation == "relu2" and setting.casts:  # a square is an operation that autocast does in fp32
        return width * (element + SINGLE + last)
    if setting.fused or block.activation != "gelu_new":
        return width * (element * (block.activation != "relu") + last)
    wide = SINGLE if setting.casts else element
    return width * (3 * wide + element + last)


def choices(block: Experts, spec: Spec, setting: Setting) -> float:
    """Give how many pairs of token and expert one rank computes, when all experts are chosen as often.

    Ranks of a tensor-parallel group that do not share experts (etp below tp) each dispatch their part of the tokens:
    Megatron-LM's dispatchers work on the sequence as sequence parallelism divides it.
    """
    return setting.tokens * block.per_token * spec.parallel.expert_tp / setting.tp


def _experts(block: Experts, hidden: int, spec: Spec, setting: Setting) -> dict[str, float]:
    pairs = choices(block, spec, setting)
    ways, element = spec.parallel.expert_tp, setting.element
    last = 0.0 if setting.frozen else setting.linear
    entering = 0.0 if setting.frozen else setting.linear * hidden * (2 if setting.casts else 1)
    width = block.width / ways
    if setting.fused:
        leaving = element * hidden / ways  # what comes back, kept for the gradient of the router's weights
        return {
            "moe": pairs * (entering + 2 * element * width + leaving + INDEX),
            "moe_act": pairs * last * width,
        }
    family = spec.architecture.family
    if family == "deepseek_v2":
        leaving = SINGLE * hidden
    elif family.startswith("deepseek"):
        leaving = (element + SINGLE) * hidden
    else:
        leaving = 2 * element * hidden
    return {
        "moe": pairs * (entering + 2 * element * width + leaving + INDEX),
        "moe_act": pairs * (element + last) * width,
    }


def _router(block: Experts, hidden: int, spec: Spec, setting: Setting) -> float:
    """Scores of all experts in fp32; DeepSeek's routers multiply in fp32: a copy of their input and of their weight."""
    tokens = setting.tokens / setting.sp
    scores = tokens * block.routed * SINGLE
    if setting.frozen or setting.fused or not spec.architecture.family.startswith("deepseek"):
        return scores
    if setting.element == HALF and not setting.casts:
        return scores + SINGLE * hidden * (tokens + block.routed)
    return scores

"""What is left of a layer's activations when parts of it are computed again in the backward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.errors import PlanError
from dstop.footprint.architecture.values import Experts
from dstop.footprint.training.attention import attention_kept, attention_passing
from dstop.footprint.training.feed_forward import choices, feed_forward_kept
from dstop.footprint.training.lora import adapters_kept
from dstop.footprint.training.norms import PRE_NORMS, norm_kept, norm_style, norms_of

if TYPE_CHECKING:
    from dstop.footprint.architecture.values import Layer
    from dstop.footprint.spec.values import Spec
    from dstop.footprint.training.setting import Setting

MODULES: dict[str, tuple[str, ...]] = {
    "core_attn": ("core",),
    "layernorm": ("normed",),
    "mla_up_proj": ("qkv",),
    "mlp": ("mlp",),
    "moe": ("moe", "moe_act", "router", "shared"),
    "moe_act": ("moe_act",),
    "shared_experts": ("shared",),
    "self_attn": ("latent", "qkv", "core", "out"),
}
"""What each module that can be recomputed alone lets go of: the names of Megatron-LM's `--recompute-modules`
(megatron/core/transformer/transformer_config.py), and `self_attn` for a whole attention block."""
_ALIASES = {"attention": "self_attn", "attn": "self_attn", "norm": "layernorm", "norms": "layernorm"}
SELECTED = 2
"""torchtitan's selective recomputation keeps the result of every second matrix (`_apply_op_sac`)."""


def check_recompute(spec: Spec) -> None:
    """Refuse modules that nobody can recompute alone, or that the model has not.

    Raises:
        PlanError: names the field and what it may be.
    """
    if isinstance(spec.checkpointing, str):
        return
    kinds = {layer.attention.kind for layer in spec.architecture.layers}
    routed = any(isinstance(layer.feed_forward, Experts) for layer in spec.architecture.layers)
    for name in spec.checkpointing:
        known = _ALIASES.get(name, name)
        if known not in MODULES:
            raise PlanError(
                f"checkpointing: no module {name!r} is recomputed alone", fix=f"use {', '.join(MODULES)}"
            )
        if known == "mla_up_proj" and "mla" not in kinds:
            raise PlanError(
                f"checkpointing: {spec.architecture.name} has no latent attention",
                fix="leave mla_up_proj out",
            )
        if known in {"moe", "moe_act", "shared_experts"} and not routed:
            raise PlanError(
                f"checkpointing: {spec.architecture.name} has no experts", fix=f"leave {name} out"
            )


def layer_whole(layer: Layer, spec: Spec, setting: Setting) -> dict[str, float]:
    """Give everything that one layer keeps without recomputation, bytes by part."""
    architecture = spec.architecture
    style, norms = norm_style(architecture), norms_of(layer, architecture.hidden)
    kept = attention_kept(layer, architecture.hidden, setting, style)
    for part, size in feed_forward_kept(layer, spec, setting).items():
        if norms != 1 or part not in {"norm", "normed"}:  # a parallel block reads the norm of its attention
            kept[part] = kept.get(part, 0.0) + size
    if architecture.family == "gemma2" and setting.scores:  # the tangent of its soft cap
        cells = setting.sequences * setting.local * setting.length
        kept["core"] += setting.element * cells * layer.attention.heads / setting.tp
    if norms > PRE_NORMS:
        after = norm_kept(architecture.hidden, setting, style, setting.element, 0)["norm"]
        kept["norm"] += (norms - PRE_NORMS) * after
    if architecture.residual_dropout:  # a mask of a byte after attention and after the block
        kept["dropout"] = 2 * setting.tokens * architecture.hidden / setting.sp
    if spec.lora is not None:
        kept["lora"] = adapters_kept(layer, spec, setting)
    return kept


def layer_kept(layer: Layer, whole: dict[str, float], spec: Spec, setting: Setting) -> float:
    """Give what one layer keeps from its forward to its backward pass.

    Full recomputation keeps the layer's input (arXiv 2205.05198, section 5); `offload` has it on the CPU. Selective:
    Megatron-LM recomputes the core of attention; elsewhere torchtitan's policy by operation.
    """
    how = spec.checkpointing
    if how == "none":
        return sum(whole.values())
    entering = setting.residual * setting.tokens * spec.architecture.hidden / setting.sp
    if how == "full":
        return entering
    if how == "offload":
        return 0.0
    if how == "selective":
        if setting.megatron:
            return sum(size for part, size in whole.items() if part != "core") + _rows(whole, setting)
        return entering + _selected(layer, spec, setting)
    gone = {part for name in how for part in MODULES[_ALIASES.get(name, name)]}
    return sum(size for part, size in whole.items() if part not in gone)


def layer_again(layer: Layer, whole: dict[str, float], spec: Spec, setting: Setting) -> float:
    """Give what the backward pass of one layer computes again before it begins."""
    if spec.checkpointing == "none":
        return 0.0
    everything = sum(whole.values())
    if spec.checkpointing in {"full", "offload"}:
        return everything
    return max(0.0, everything - layer_kept(layer, whole, spec, setting))


def layer_passing(layer: Layer, spec: Spec, setting: Setting) -> float:
    """Give the gradients between matrices that the backward pass of one layer holds at once.

    Three of the feed-forward width, or some fp32 copies of the residual stream in the backward pass of a norm, or
    those of scores; whichever is largest (replays of the allocator's history).
    """
    block, tokens = layer.feed_forward, setting.tokens
    width = block.width / setting.tp * tokens if not isinstance(block, Experts) else 0.0
    if isinstance(block, Experts):
        pairs = choices(block, spec, setting)
        width = pairs * max(block.width / spec.parallel.expert_tp, spec.architecture.hidden)
        width /= 1 if setting.fused else block.routed / spec.parallel.ep  # a loop has one expert's at a time
    norms = (3 if setting.fused else 5) * 4 * tokens * spec.architecture.hidden / setting.sp
    return max(3 * setting.element * width, norms, attention_passing(layer.attention, setting))


def _rows(whole: dict[str, float], setting: Setting) -> float:
    """Flash attention has nothing to recompute: what it keeps of a row stays."""
    return 0.0 if setting.scores else whole["core"]


def _selected(layer: Layer, spec: Spec, setting: Setting) -> float:
    """What the policy by operation keeps: attention's result, and those of the first, third, fifth matrix and so on.

    The last result is only added to the residual stream: torch.compile's partitioner sees that nobody reads it again.
    """
    attention, block = layer.attention, layer.feed_forward
    widths = [tensor for tensor in layer.tensors if len(tensor.shape) > 1 and tensor.role != "router"]
    total = attention.heads * attention.value_dim * setting.element / setting.tp
    pairs = 0.0
    for place, tensor in enumerate(widths):
        if place % SELECTED or (setting.fused and place == len(widths) - 1):
            continue
        if tensor.role == "expert" and isinstance(block, Experts):
            pairs += choices(block, spec, setting) * setting.element * tensor.shape[0]
        else:
            ways = setting.tp if tensor.split in {"column", "kv"} else setting.sp
            total += setting.element * tensor.shape[0] / ways
    return setting.tokens * total + pairs + 4 * setting.tokens * attention.heads / setting.tp

"""What a training footprint takes for granted beside the fields that `settle` filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.architecture.values import Experts
from dstop.footprint.training.optimizers import steps_foreach
from dstop.footprint.training.overheads import slack
from dstop.model.footprint import Assumption
from dstop.units import gib_text

if TYPE_CHECKING:
    from dstop.footprint.spec.values import Spec
    from dstop.model.footprint import RankFootprint


def training_assumptions(spec: Spec, rank: RankFootprint) -> tuple[Assumption, ...]:
    """Give the assumptions of a settled spec, the weightiest first.

    Args:
        spec: settled.
        rank: what came of it: where its peak is decides what is worth saying.
    """
    return (
        *_gradients(spec, rank),
        *_optimizer(spec),
        *_logits(spec),
        *_experts(spec),
        *_sparse(spec),
        *_quantized(spec),
        *_pipeline(spec),
        *_rest(spec),
    )


def _gradients(spec: Spec, rank: RankFootprint) -> list[Assumption]:
    """Gradients and activations are hardly ever whole at once."""
    if spec.framework == "megatron" or spec.parallel.pp > 1:
        return [
            Assumption(subject="gradients", says="gradients stay between micro-batches", source="default")
        ]
    if rank.peak_at == "optimizer step" or spec.lora is not None or spec.optimizer_in_backward:
        return []
    size = gib_text(rank.parts.gradients_bytes)
    return [
        Assumption(
            subject="gradients",
            says=f"one micro-batch a step: gradients take the place of activations, which are shown without the {size} "
            "GiB that they share; with several micro-batches a step as much comes on top",
            source="measured",
        )
    ]


def _optimizer(spec: Spec) -> list[Assumption]:
    if spec.optimizer not in {"adamw", "adam"} or spec.framework not in {"hf", "pytorch"}:
        return []
    says = (
        "the optimizer steps on lists of tensors, as PyTorch does unless told: a copy of the second moments"
        if steps_foreach(spec)
        else "the optimizer's step is fused: it needs no copies"
    )
    return [
        Assumption(subject="optimizer", says=says, source="measured" if steps_foreach(spec) else "default")
    ]


def _logits(spec: Spec) -> list[Assumption]:
    if spec.loss != "full" or spec.framework == "megatron":
        return []
    each = 16 if spec.parallel.tp > 1 and spec.framework != "hf" else 12
    return [
        Assumption(
            subject="loss",
            says=f"the loss is taken of all logits at once: {each} bytes a token and word when backward starts",
            source="measured",
        )
    ]


def _experts(spec: Spec) -> list[Assumption]:
    if not any(isinstance(layer.feed_forward, Experts) for layer in spec.architecture.layers):
        return []
    return [
        Assumption(
            subject="activations",
            says="every expert gets as many tokens; early in training the fullest rank has 1.2 to 3 times the mean",
            source="arXiv 2502.07846",
        )
    ]


def _sparse(spec: Spec) -> list[Assumption]:
    if all(layer.attention.indexer is None for layer in spec.architecture.layers):
        return []
    return [
        Assumption(
            subject="attention",
            says="sparse attention is counted as if it were dense flash attention; what its indexer keeps is not known",
            source="default",
        )
    ]


def _quantized(spec: Spec) -> list[Assumption]:
    """What is not quantized of a base may be cast to fp32 before training."""
    if spec.lora is None or spec.framework != "hf" or not spec.lora.base.startswith(("nf4", "int")):
        return []
    architecture = spec.architecture
    plain = architecture.vocab * architecture.hidden * (1 if architecture.tied else 2)
    return [
        Assumption(
            subject="lora",
            says="embedding, head and norms of the base stay in 16 bits; prepare_model_for_kbit_training of peft makes "
            f"them fp32, {gib_text(2 * plain)} GiB more",
            source="default",
        )
    ]


def _pipeline(spec: Spec) -> list[Assumption]:
    if spec.parallel.pp == 1:
        return []
    kind = "interleaved one forward, one backward" if spec.parallel.vpp > 1 else "one forward, one backward"
    return [
        Assumption(
            subject="parallel.pp",
            says=f"{kind}, with enough micro-batches to fill the pipeline",
            source="arXiv 2104.04473",
        )
    ]


def _rest(spec: Spec) -> list[Assumption]:
    return [
        Assumption(
            subject="reserved_unallocated",
            says=f"the allocator holds {slack(spec):.0%} beyond the peak that it hands out",
            source="arXiv 2502.07846",
        )
    ]

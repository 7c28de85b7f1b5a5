"""A tier of the sizing guide beside arithmetic: nothing here is typed in, all of it follows from `estimate`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.footprint.architecture.shaped import llama_shaped, size_of
from dstop.footprint.catalog.tier_values import TierEnd, TierReport
from dstop.footprint.catalog.tiers import GB
from dstop.footprint.estimate import estimate
from dstop.footprint.spec.values import Parallel, Spec

if TYPE_CHECKING:
    from dstop.footprint.catalog.values import Tier
    from dstop.model.footprint import Phase

_SHORTEST = 32
_GENEROUS = 2.0
"""A range that begins at more than this times what arithmetic gives is remarked upon."""


def tier_spec(tier: Tier, phase: Phase, parameters: float | None = None) -> Spec:
    """Give the configuration that a tier stands for: a dense Llama of its size in the guide's own example.

    Training: mixed precision with an fp32 master copy and fp32 moments, the guide's batch and checkpointing, and
    everything sharded over all GPUs (ZeRO stage 3), which is the most favourable reading of its "3D parallelism":
    no layout puts fewer bytes of states on a GPU. Inference: 16-bit weights split over the guide's GPUs.

    Args:
        tier: of the catalog.
        phase: `training` or `inference`.
        parameters: within the tier; its high end (its low end where it has none) unless said.

    Raises:
        PlanError: the size is out of all bounds.
    """
    size = parameters or tier.high_parameters or tier.low_parameters
    architecture = llama_shaped(size, f"{tier.name} {size_of(size)}, taken as a dense Llama")
    if phase == "inference":
        return Spec(
            architecture=architecture,
            phase="inference",
            weights="bf16",
            sequence=tier.sequence,
            parallel=Parallel(tp=tier.inference_gpus),
        )
    gpus = tier.sample_gpus
    return Spec(
        architecture=architecture,
        phase="training",
        weights=tier.sample_dtype,
        master_weights=True,
        batch=max(1, (tier.training_batch or gpus) // gpus),
        sequence=tier.sequence,
        parallel=Parallel(dp=gpus, zero=3 if gpus > 1 else 0),
        checkpointing=tier.checkpointing,
    )


def tier_report(tier: Tier) -> TierReport:
    """Put the guide's figures beside arithmetic at both ends of a tier's sizes, and say where they contradict."""
    sizes = [tier.low_parameters] + ([tier.high_parameters] if tier.high_parameters else [])
    ends = tuple(_end(tier, size) for size in sizes)
    return TierReport(
        tier=tier,
        ends=ends,
        contradictions=tuple(says for end in ends for says in _contradictions(tier, end)),
        remarks=(*(says for end in ends for says in _remarks(tier, end)), *tier.notes),
    )


def _end(tier: Tier, parameters: float) -> TierEnd:
    training = estimate(tier_spec(tier, "training", parameters))
    static = training.per_gpu.parts.static_bytes * tier.sample_gpus
    return TierEnd(
        parameters=parameters,
        training=training,
        inference=estimate(tier_spec(tier, "inference", parameters)),
        implied_bytes_per_parameter=tier.implied_bytes_per_parameter(parameters),
        states_bytes_per_parameter=static / training.total_parameters,
    )


def _contradictions(tier: Tier, end: TierEnd) -> list[str]:
    """Say where the guide's figures leave no room for what must be there."""
    size, gpus = size_of(end.parameters), tier.sample_gpus
    parts = end.training.per_gpu.parts
    found = []
    if parts.static_bytes > tier.sample_bytes:
        found.append(
            f"training {size} on {_gpus(gpus)}: weights, gradients and Adam states alone are"
            f" {_gb(parts.static_bytes)} on each ({end.states_bytes_per_parameter:.0f} bytes a parameter),"
            f" the guide's example has {_gb(tier.sample_bytes)}"
            f" ({end.implied_bytes_per_parameter:.1f} bytes a parameter, activations included). {_way_out(tier, end)}"
        )
    served = end.inference.per_gpu.parts
    if tier.inference_high_bytes is not None and served.weights_bytes > tier.inference_high_bytes:
        found.append(
            f"inference of {size}: 16-bit weights alone are {_gb(served.weights_bytes)}, more than the guide's"
            f" {_gb(tier.inference_high_bytes)}"
        )
    return found


def _way_out(tier: Tier, end: TierEnd) -> str:
    """Say whether 8-bit moments and no master copy would bring it below the guide's figure, by the same arithmetic."""
    spec = tier_spec(tier, "training", end.parameters)
    lean = estimate(replace(spec, optimizer="adamw8bit", master_weights=False, optimizer_state=None))
    total = lean.per_gpu.parts.total_bytes
    if total <= tier.sample_bytes:
        return f"8-bit AdamW without an fp32 copy would come to {_gb(total)}"
    says = f"Even 8-bit AdamW without an fp32 copy comes to {_gb(total)}"
    return f"{says}: it takes an offloaded optimizer, LoRA or more GPUs"


def _remarks(tier: Tier, end: TierEnd) -> list[str]:
    """Say where the guide asks for far more than arithmetic does, or holds less than its readers may think."""
    size, gpus = size_of(end.parameters), tier.sample_gpus
    trained = end.training.per_gpu.parts.total_bytes
    found = []
    if trained * _GENEROUS < tier.training_low_bytes:
        found.append(
            f"training {size} on {_gpus(gpus)} takes about {_gb(trained)} on each at {tier.sequence} tokens a sequence:"
            f" the guide's {_gb(tier.training_low_bytes)} and more leave room for longer ones"
        )
    elif end.training.per_gpu.parts.static_bytes <= tier.sample_bytes and trained > tier.training_high_bytes:
        found.append(
            f"training {size} on {_gpus(gpus)} takes about {_gb(trained)} on each at {tier.sequence} tokens a sequence:"
            f" the guide's {_gb(tier.training_high_bytes)} {_shorter(tier, end)}"
        )
    served = end.inference.per_gpu.parts
    if tier.inference_low_bytes is not None and served.total_bytes * _GENEROUS < tier.inference_low_bytes:
        found.append(
            f"inference of {size}: 16-bit weights are {_gb(served.weights_bytes)}; the guide's"
            f" {_gb(tier.inference_low_bytes)} and more are mostly room for a KV cache"
        )
    return found


def _shorter(tier: Tier, end: TierEnd) -> str:
    """Say at which length of sequence the guide's figure is enough, by halves; it names none itself."""
    spec, sequence = tier_spec(tier, "training", end.parameters), tier.sequence // 2
    while sequence >= _SHORTEST:
        if estimate(replace(spec, sequence=sequence)).per_gpu.parts.total_bytes <= tier.training_high_bytes:
            return f"hold sequences of {sequence}"
        sequence //= 2
    return f"do not even hold sequences of {_SHORTEST}"


def _gb(count: int) -> str:
    """Write bytes in the guide's unit, 1e9."""
    amount = count / GB
    return f"{amount:.0f} GB" if amount >= 10 else f"{amount:.1f} GB"  # noqa: PLR2004 - two digits are enough


def _gpus(count: int) -> str:
    return "one GPU" if count == 1 else f"{count} GPUs"

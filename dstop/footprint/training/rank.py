"""What a GPU holds at the peak of a training step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.training.band import band_of
from dstop.footprint.training.overheads import outside, slack
from dstop.footprint.training.peak import peak_of
from dstop.footprint.training.refuse import check_training
from dstop.footprint.training.states import states_of
from dstop.model.footprint import Parts, RankFootprint

if TYPE_CHECKING:
    from dstop.footprint.spec.values import Spec
    from dstop.footprint.stages import Stage
    from dstop.footprint.training.peak import Moment
    from dstop.footprint.training.states import States


def training_rank(spec: Spec, stage: Stage) -> RankFootprint:
    """Give the parts of each GPU of one pipeline stage; the spec is settled.

    Raises:
        PlanError: an optimizer, a target of adapters or a recomputed module is not known, or the model has not got it.
    """
    check_training(spec)
    states = states_of(spec, stage)
    peak = peak_of(spec, stage, states)
    parts = _parts(spec, states, peak)
    low, high = band_of(spec, parts, states, peak)
    return RankFootprint(
        stage=stage.index,
        gpus=spec.parallel.gpus // spec.parallel.pp,
        layers=len(stage.layers),
        parameters=states.parameters,
        parts=parts,
        low_bytes=min(low, parts.total_bytes),
        high_bytes=max(high, parts.total_bytes),
        peak_at=peak.at,
    )


def _parts(spec: Spec, states: States, peak: Moment) -> Parts:
    """Name the bytes of a moment.

    Gradients are always shown whole, as what does not fit in less. Where they are not all there at the peak, because
    activations are freed as gradients are made, what is missing is taken from what is there instead: first from
    activations, then from logits and workspace, so that the sum is the peak.
    """
    missing = max(0.0, states.gradients - peak.gradients)
    left = {"activations": peak.activations, "logits": peak.logits, "workspace": peak.workspace}
    for part, size in left.items():
        taken = min(size, missing)
        left[part] = size - taken
        missing -= taken
    extra = max(0.0, peak.gradients - states.gradients)  # whole gradients of a sharded unit
    allocated = states.weights + states.optimizer + peak.total
    return Parts(
        weights_bytes=int(states.weights),
        gradients_bytes=int(states.gradients),
        optimizer_bytes=int(states.optimizer),
        activations_bytes=int(left["activations"]),
        logits_bytes=int(left["logits"]),
        workspace_bytes=int(left["workspace"] + extra),
        reserved_unallocated_bytes=int(slack(spec) * allocated),
        context_bytes=outside(spec, "expected"),
    )

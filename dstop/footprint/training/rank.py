"""What a GPU holds at the peak of a training step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.sharding import shard
from dstop.footprint.weights import weights_bytes
from dstop.model.footprint import Parts, RankFootprint
from dstop.units import MIB

if TYPE_CHECKING:
    from dstop.footprint.spec.values import Spec
    from dstop.footprint.stages import Stage


def training_rank(spec: Spec, stage: Stage) -> RankFootprint:
    """Give the parts of each GPU of one pipeline stage; the spec is settled."""
    weights = weights_bytes(spec, stage)
    held = sum(shard(tensor, spec.parallel).parameters for tensor in stage.tensors(spec.architecture))
    tokens = spec.batch * (spec.sequence or 0) // spec.parallel.cp
    parts = Parts(
        weights_bytes=weights,
        gradients_bytes=weights,
        optimizer_bytes=8 * held,
        activations_bytes=34 * tokens * spec.architecture.hidden * len(stage.layers) // spec.parallel.tp,
        context_bytes=500 * MIB,
    )
    total = parts.total_bytes
    return RankFootprint(
        stage=stage.index,
        gpus=spec.parallel.gpus // spec.parallel.pp,
        layers=len(stage.layers),
        parameters=held,
        parts=parts,
        low_bytes=int(total * 0.9),
        high_bytes=int(total * 1.2),
        peak_at="backward",
    )

"""The whole answer: what each rank of a configuration should hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.inference.assumptions import inference_assumptions
from dstop.footprint.inference.rank import inference_rank, kv_bytes_per_token
from dstop.footprint.spec.layout import check_layout
from dstop.footprint.spec.settle import settle
from dstop.footprint.stages import stages_of
from dstop.footprint.training.assumptions import training_assumptions
from dstop.footprint.training.rank import training_rank
from dstop.footprint.weights import checkpoint_bytes
from dstop.model.footprint import Assumption, Footprint

if TYPE_CHECKING:
    from dstop.footprint.spec.values import Spec
    from dstop.model.footprint import RankFootprint


def estimate(spec: Spec) -> Footprint:
    """Give the expected bytes of every pipeline stage, with their band and the assumptions behind them.

    Raises:
        PlanError: the layout cannot be, or a setting is not known for this model or phase.
    """
    check_layout(spec)
    settled, taken = settle(spec)
    training = settled.phase == "training"
    of_stage = training_rank if training else inference_rank
    ranks = tuple(of_stage(settled, stage) for stage in stages_of(settled))
    chosen = _chosen(ranks, settled.parallel.stage)
    return Footprint(
        model=settled.architecture.name,
        phase=settled.phase,
        total_parameters=settled.architecture.total_parameters,
        active_parameters=settled.architecture.active_parameters,
        ranks=ranks,
        chosen=chosen,
        gpus=settled.parallel.gpus,
        kv_bytes_per_token=0 if training else kv_bytes_per_token(settled, stages_of(settled)[chosen]),
        checkpoint_bytes=checkpoint_bytes(settled),
        assumptions=(
            *(
                Assumption(subject="model", says=note, source="catalog")
                for note in settled.architecture.notes
            ),
            *taken,
            *(training_assumptions if training else inference_assumptions)(settled, ranks[chosen]),
        ),
    )


def _chosen(ranks: tuple[RankFootprint, ...], stage: str | int) -> int:
    """Give the index of the rank that is asked about: the largest, the first, the last, or a number."""
    if stage == "first":
        return 0
    if stage == "last":
        return len(ranks) - 1
    if isinstance(stage, int):
        return stage
    return max(range(len(ranks)), key=lambda index: ranks[index].parts.total_bytes)

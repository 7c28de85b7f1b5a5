"""The whole answer: what each rank of a configuration should hold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.footprint.spec.layout import check_layout
from dstop.footprint.spec.settle import settle
from dstop.footprint.stages import stages_of
from dstop.footprint.weights import checkpoint_bytes
from dstop.model.footprint import Assumption, Footprint

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.footprint.spec.values import Spec
    from dstop.footprint.stages import Stage
    from dstop.model.footprint import Phase, RankFootprint


def estimate(spec: Spec) -> Footprint:
    """Give the expected bytes of every pipeline stage, with their band and the assumptions behind them.

    Raises:
        PlanError: the layout cannot be, or a setting is not known for this model or phase.
    """
    check_layout(spec)
    settled, taken = settle(spec)
    of_stage, assumptions_of, cached = _of_phase(settled.phase)
    stages = stages_of(settled)
    ranks = _ranks(settled, stages, of_stage)
    chosen = _chosen(ranks, settled.parallel.stage)
    return Footprint(
        model=settled.architecture.name,
        phase=settled.phase,
        total_parameters=settled.architecture.total_parameters,
        active_parameters=settled.architecture.active_parameters,
        ranks=ranks,
        chosen=chosen,
        gpus=settled.parallel.gpus,
        kv_bytes_per_token=cached(settled, stages[chosen]),
        checkpoint_bytes=checkpoint_bytes(settled),
        assumptions=(
            *(
                Assumption(subject="model", says=note, source="catalog")
                for note in settled.architecture.notes
            ),
            *taken,
            *assumptions_of(settled, ranks[chosen]),
        ),
    )


def _ranks(
    spec: Spec, stages: tuple[Stage, ...], of_stage: Callable[[Spec, Stage], RankFootprint]
) -> tuple[RankFootprint, ...]:
    """Compute each stage; in inference alike ones once, for nothing in them depends on their place.

    In training the place decides how many micro-batches are in flight.
    """
    if spec.phase == "training":
        return tuple(of_stage(spec, stage) for stage in stages)
    known: dict[object, RankFootprint] = {}
    found = []
    for stage in stages:
        key = (stage.first, stage.last, tuple(map(id, (*stage.layers, *stage.next_token))))
        if key not in known:
            known[key] = of_stage(spec, stage)
        found.append(replace(known[key], stage=stage.index))
    return tuple(found)


def _of_phase(
    phase: Phase,
) -> tuple[
    Callable[[Spec, Stage], RankFootprint],
    Callable[[Spec, RankFootprint], tuple[Assumption, ...]],
    Callable[[Spec, Stage], float],
]:
    """Give what computes a rank, its assumptions and its cache a token; the other phase is not even loaded."""
    if phase == "training":
        from dstop.footprint.training.assumptions import training_assumptions  # noqa: PLC0415 - 15 ms of a start
        from dstop.footprint.training.rank import training_rank  # noqa: PLC0415 - as above

        return training_rank, training_assumptions, lambda *_: 0
    from dstop.footprint.inference.assumptions import inference_assumptions  # noqa: PLC0415 - as above
    from dstop.footprint.inference.rank import inference_rank, kv_bytes_per_token  # noqa: PLC0415 - as above

    return inference_rank, inference_assumptions, kv_bytes_per_token


def _chosen(ranks: tuple[RankFootprint, ...], stage: str | int) -> int:
    """Give the index of the rank that is asked about: the largest, the first, the last, or a number."""
    if stage == "first":
        return 0
    if stage == "last":
        return len(ranks) - 1
    if isinstance(stage, int):
        return stage
    return max(range(len(ranks)), key=lambda index: ranks[index].parts.total_bytes)

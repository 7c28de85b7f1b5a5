"""Where in its job a process is: how many replicas there are, and which pipeline stage it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.footprint.architecture.values import Architecture
    from dstop.footprint.live.known import Witness
    from dstop.footprint.spec.values import Spec
    from dstop.model.process import ProcessFacts

_WHOLE = (0.97, 1.2)
"""A rank whose parameters are this share of the model's has all of it: adapters, next-token layers and untied heads
add a little."""


def layout_of(
    fields: dict[str, object], sources: dict[str, str], witness: Witness, architecture: Architecture
) -> None:
    """Add the data-parallel degree of a training job, from how many ranks it has.

    Args:
        fields: of the SPEC; changed in place.
        sources: where each is from; likewise.
        witness: for its rank, and for what its hook has counted.
        architecture: how many parameters the whole model has.

    Raises:
        PlanError: the ranks do not divide, or how they share the model is not known.
    """
    world = witness.facts.world_size or 1
    if fields.get("phase") != "training" or world == 1:
        return
    each = _number(fields, "tp") * _number(fields, "pp") * _number(fields, "cp")
    if world % each:
        raise PlanError(
            f"its {world} ranks do not divide into tensor, pipeline and context parallel groups of {each}",
            fix="say its layout in [[footprint]]",
        )
    if "parallel.dp" not in fields:
        fields["parallel.dp"] = world // each
        sources["parallel.dp"] = "environment"
    if "parallel.zero" not in fields and each == 1 and not _shares_nothing(fields, witness, architecture):
        raise PlanError(
            f"how its {world} ranks share the model is not known",
            fix="attach to it, or say parallel.zero in [[footprint]]",
        )


def _shares_nothing(fields: Mapping[str, object], witness: Witness, architecture: Architecture) -> bool:
    """Whether each rank is known to hold the whole model: the hook counts it, or Hugging Face's Trainer would (DDP)."""
    if witness.inside is not None and witness.inside.models:
        counts = [model.get("parameters") for model in witness.inside.models]
        most = max((count for count in counts if isinstance(count, int)), default=0)
        return _WHOLE[0] <= most / architecture.total_parameters <= _WHOLE[1]
    return fields.get("framework") == "hf"


def stage_of(fields: Mapping[str, object], spec: Spec, facts: ProcessFacts) -> int | None:
    """Give the pipeline stage of a process; None where it is not known.

    vLLM numbers tensor-parallel ranks first, then stages (`vllm/distributed/parallel_state.py`); Megatron-LM has the
    stages outermost (`megatron/core/parallel_state.py`, default order `tp-cp-ep-dp-pp`).
    """
    stages = spec.parallel.pp
    if stages == 1:
        return 0
    told = fields.get("parallel.stage")
    if isinstance(told, int):
        return told if told < stages else None
    rank, world = facts.rank, facts.world_size
    if rank is None:
        return None
    if spec.framework in {"vllm", "sglang"}:
        return rank // spec.parallel.tp % stages
    return rank // (world // stages) if world and world % stages == 0 and rank < world else None


def _number(fields: Mapping[str, object], name: str) -> int:
    value = fields.get(f"parallel.{name}")
    return value if isinstance(value, int) and value > 0 else 1

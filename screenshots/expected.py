"""What the demo's programs should hold, written down: a picture changes with how it is drawn, not with the arithmetic.

The figures are what the arithmetic came to when this was written, rounded; what is live beside them is the story's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.footprint.live.compare import compare
from dstop.footprint.live.hook import held_of
from dstop.footprint.live.known import Known
from dstop.model.footprint import Footprint, Parts, RankFootprint
from dstop.monitor.expectations import Expectations
from dstop.sources.demo.stacks import rank_facts
from dstop.units import GIB, MIB

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.model.footprint import Phase
    from dstop.model.guest import Guest, ProcessId
    from dstop.model.sample import Sample

_RANK = Parts(
    weights_bytes=3745 * MIB,
    gradients_bytes=3745 * MIB,
    optimizer_bytes=22468 * MIB,
    logits_bytes=17400 * MIB,
    workspace_bytes=1950 * MIB,
    reserved_unallocated_bytes=3990 * MIB,
    context_bytes=750 * MIB,
)
_ENGINE = Parts(
    weights_bytes=3390 * MIB,
    logits_bytes=1190 * MIB,
    activations_bytes=180 * MIB,
    kv_cache_bytes=8860 * MIB,
    context_bytes=1310 * MIB,
)


def _known(
    model: str,
    parts: Parts,
    band: tuple[int, int],
    parameters: tuple[int, int],
    phase: Phase,
    *,
    sources: Mapping[str, str],
    tier: str | None = None,
) -> Known:
    """Give what is known of one program; its band is in GiB."""
    low, high = (amount * GIB for amount in band)
    rank = RankFootprint(
        stage=0, gpus=8, layers=27, parameters=parameters[0], parts=parts, low_bytes=low, high_bytes=high
    )
    footprint = Footprint(
        model=model,
        phase=phase,
        total_parameters=parameters[0],
        active_parameters=parameters[1],
        ranks=(rank,),
        chosen=0,
        gpus=8,
        kv_bytes_per_token=0,
        checkpoint_bytes=None,
        assumptions=(),
    )
    return Known(
        model=model,
        tier=tier,
        sources=sources,
        footprint=footprint,
        rank=rank,
        low_bytes=low,
        expected_bytes=parts.total_bytes,
        high_bytes=high,
    )


RANK = _known(
    "DeepSeek-V2-Lite",
    _RANK,
    (48, 63),
    (15_706_484_224, 2_662_000_000),
    "training",
    sources={
        "model": "hook",
        "optimizer": "hook",
        "weights": "hook",
        "checkpointing": "hook",
        "batch": "command line",
        "sequence": "command line",
        "parallel.dp": "environment",
        "gpu": "driver",
    },
)
ENGINE = _known(
    "DeepSeek-R1-Distill-Qwen-1.5B",
    _ENGINE,
    (13, 16),
    (1_777_088_000, 1_777_088_000),
    "inference",
    tier="DeepSeek-Pro",
    sources={
        "model": "catalog",
        "gpu_memory_utilization": "command line",
        "gpu": "driver",
        "weights": "default",
    },
)


class Foreseen(Expectations):
    """Stands where a Monitor's Expectations do, and works nothing out."""

    def joined(self, sample: Sample, guests: Mapping[ProcessId, Guest]) -> Sample:
        """Give the ranks and the engine what they should hold."""
        rows = []
        for row in sample.processes:
            if row.facts.command == "train.py":
                held = held_of(rank_facts(row.facts.world_size or 1), None) if row.id in guests else None
                rows.append(replace(row, expectation=compare(RANK, row, held)))
            elif row.facts.framework == "vllm":
                rows.append(replace(row, expectation=compare(ENGINE, row)))
            else:
                rows.append(row)
        return replace(sample, processes=tuple(rows))

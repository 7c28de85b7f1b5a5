"""How many micro-batches a pipeline stage holds at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dstop.footprint.spec.values import Parallel


def in_flight(parallel: Parallel, stage: int) -> float:
    """Give the micro-batches whose activations a stage holds at its fullest, with enough of them to fill the pipeline.

    One forward, one backward: p - i on stage i (Narayanan et al., arXiv 2104.04473, section 2.2). Interleaved over v
    virtual stages: 2(p - i - 1) + (v - 1)p + 1 chunks of 1/v of the stage's layers (Megatron-LM,
    `get_pp_rank_microbatches`); on the first stage that is 1 + (p - 1)/(pv) of all layers (arXiv 2205.05198, 4.2.3).
    """
    after = parallel.pp - stage - 1
    if parallel.vpp == 1:
        return after + 1
    return (2 * after + (parallel.vpp - 1) * parallel.pp + 1) / parallel.vpp

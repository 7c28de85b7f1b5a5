"""One sharded unit is gathered that is nearly the whole model

What it means
    FSDP and ZeRO-3 gather the parameters of one unit at a time. Where the whole model is one unit, each rank holds all of it
    while it runs, and sharding saves nothing at the peak.

Evidence
    The failing frames unshard or all-gather, and the request is a large part of the card.

Fix
    Wrap each block by itself; with prefetch two units are there at once, so a unit should be small.

When it is wrong
    Small requests in these frames are any request on a full card (DS101).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.rule import FITS, Assessment, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_GATHERS = r"_unshard|unshard\(|all_gather_into_tensor|_all_gather|_alloc_storage|_alloc_padded_unsharded|_pre_forward_unshard|partition_parameters.*_allgather|fetch_sub_module"
_PART = 0.1


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    if (
        failure is None
        or failure.tried_bytes is None
        or not failure.total_bytes
        or case.phase in {"save", "load"}
    ):
        return None
    if case.in_frames(_GATHERS) is None or failure.tried_bytes < _PART * failure.total_bytes:
        return None
    fixes = prescribe(
        case,
        "wrap_per_layer",
        "limit_all_gathers",
        "shard_more_gpus",
        "reduce_batch",
        recovers={"wrap_per_layer": failure.tried_bytes * 3 // 4},
    )
    evidence = (*failure_lines(case), *rank_lines(case))
    return Assessment(strength=FITS + 8, evidence=evidence, at=failure.place, fixes=fixes)


RULE = Rule(
    id="DS111",
    name="coarse-sharding",
    cause="capacity_weights",
    title="One sharded unit is gathered that is nearly the whole model",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """  File "/home/u/train.py", line 70, in training_step
    loss = model(batch)
  File "/opt/venv/lib/python3.11/site-packages/torch/distributed/fsdp/_runtime_utils.py", line 301, in _pre_forward_unshard
    handle.unshard()
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 25.10 GiB. GPU 0 has a total capacity of 39.39 GiB of which 20.20 GiB is free. Including non-PyTorch memory, this process has 19.18 GiB memory in use. Of the allocated memory 18.60 GiB is allocated by PyTorch, and 1.62 MiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """  File "/home/u/train.py", line 70, in training_step
    loss = model(batch)
  File "/opt/venv/lib/python3.11/site-packages/torch/distributed/fsdp/_runtime_utils.py", line 301, in _pre_forward_unshard
    handle.unshard()
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 402.00 MiB. GPU 0 has a total capacity of 39.39 GiB of which 200.20 MiB is free. Including non-PyTorch memory, this process has 39.18 GiB memory in use. Of the allocated memory 38.60 GiB is allocated by PyTorch, and 1.62 MiB is reserved by PyTorch but unallocated.
""",
    ),
)

"""One rank's experts got more tokens than the others'

What it means
    With expert parallelism a rank's activations grow with the tokens that are routed to its experts. A router that favours some
    overloads the rank that holds them, while the others have room: one rank fails, at a step that nothing announces.

Evidence
    The frames are those of experts (permute, grouped GEMM, dispatch), and the ranks differ: the rank that failed holds a good
    deal more than another whose figures are in the log, or it is the only one of several that fails.

Fix
    A capacity factor or dropless limits, the auxiliary loss or bias for balance; recompute the experts' activations; a smaller
    micro-batch for all.

When it is wrong
    If all ranks fail at the same step, the batch is too large for each (DS101).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.questions.placement import is_distributed
from dstop.doctor.rule import FITS, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_EXPERTS = (
    r"(?i)moe|expert|grouped_gemm|grouped_mlp|megablocks|token_dispatcher|permute_tokens|unpermute|fused_moe"
)
_MORE = 1.15
_SEVERAL = 2


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    if failure is None or failure.rank is None or not is_distributed(case):
        return None
    frame = case.in_frames(_EXPERTS)
    if frame is None or case.phase in {"load", "save", "capture"}:
        return None
    unlike = _unlike(case)
    if unlike is None:
        return None
    where = Evidence(
        source=str(failure.place), says=f"{frame.function} ({frame.file}:{frame.line}) is an expert's"
    )
    return Assessment(
        strength=FITS + 9,
        evidence=(*failure_lines(case), where, unlike, *rank_lines(case)),
        at=failure.place,
        fixes=prescribe(
            case,
            "reduce_batch",
            "grad_checkpointing",
            "change_config",
            "shard_more_gpus",
            commands={"change_config": "--moe-expert-capacity-factor 1.25 --moe-aux-loss-coeff 1e-2"},
            titles={"change_config": "Balance the experts, or cap what one may get"},
        ),
    )


def _unlike(case: Case) -> Evidence | None:
    """Give what shows that the ranks differ; None where they do not, or nothing tells."""
    failure = case.failure
    assert failure is not None  # noqa: S101 - the caller has looked
    held = {
        one.rank: one.allocated_bytes for one in case.failures if one.rank is not None and one.allocated_bytes
    }
    own = held.pop(failure.rank, None) if failure.rank is not None else None
    if own is not None and held:
        rank, least = min(held.items(), key=lambda item: item[1] or 0)
        if least and own >= _MORE * least:
            return Evidence(
                source=str(failure.place),
                says=f"rank {failure.rank} holds {gib(own)}, rank {rank} {gib(least)}",
                value=own,
            )
        return None
    waiting = {sign.rank for sign in case.all("nccl.watchdog")} - {None, failure.rank}
    if len(waiting) >= _SEVERAL:
        return Evidence(
            source=str(failure.place),
            says=f"rank {failure.rank} alone fails; {len(waiting)} others wait for it",
        )
    return None


RULE = Rule(
    id="DS611",
    name="expert-imbalance",
    cause="capacity_activations",
    title="One rank's experts got more tokens than the others'",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """[rank5]:   File "/opt/megatron/core/transformer/moe/experts.py", line 190, in forward
[rank5]:     fc1_output = gg.ops.gmm(permuted_local_hidden_states, w1, tokens_per_expert)
[rank5]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 3.12 GiB. GPU 5 has a total capacity of 79.15 GiB of which 1.10 GiB is free. Including non-PyTorch memory, this process has 78.04 GiB memory in use. Of the allocated memory 76.40 GiB is allocated by PyTorch, and 301.62 MiB is reserved by PyTorch but unallocated.
[rank1]:[E626 06:24:44.903 ProcessGroupNCCL.cpp:616] [Rank 1] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=808, OpType=ALLTOALL, NumelIn=9801523, NumelOut=9801523, Timeout(ms)=600000) ran for 600020 milliseconds before timing out.
[rank2]:[E626 06:24:44.903 ProcessGroupNCCL.cpp:616] [Rank 2] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=808, OpType=ALLTOALL, NumelIn=9801523, NumelOut=9801523, Timeout(ms)=600000) ran for 600020 milliseconds before timing out.
""",
    ),
    near_miss=(
        """[rank5]:   File "/home/u/model.py", line 190, in forward
[rank5]:     x = self.ffn(x)
[rank5]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 3.12 GiB. GPU 5 has a total capacity of 79.15 GiB of which 1.10 GiB is free. Including non-PyTorch memory, this process has 78.04 GiB memory in use. Of the allocated memory 76.40 GiB is allocated by PyTorch, and 301.62 MiB is reserved by PyTorch but unallocated.
""",
    ),
)

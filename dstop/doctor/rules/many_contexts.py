"""Many small processes share this card, and their contexts add up

What it means
    A CUDA context costs 0.3 to 0.7 GiB a process before the first tensor. Loader workers that touch CUDA, pools, actors, notebook
    kernels and servers' workers each have one.

Evidence
    Four or more processes of about a context's size are named on the card, they hold a good part of it together, and nothing
    says that the job is distributed.

Fix
    Fewer processes, or keep CUDA out of the workers (move tensors to the card in the main process alone). Recovers 0.3 to 0.7 GiB
    each. MPS shares one context among processes of one user.

When it is wrong
    For the ranks of one job see DS606; for one process that holds much see DS401.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import failure_lines
from dstop.doctor.questions.placement import contexts_of, is_distributed
from dstop.doctor.rule import PROVEN, SUGGESTS, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_MANY = 4
_MOST_OF_OTHERS = 0.6


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    if failure is None or failure.total_bytes is None or is_distributed(case):
        return None
    contexts = contexts_of(failure)
    held = sum(size for _, size in contexts)
    if len(contexts) < _MANY or held < _MOST_OF_OTHERS * sum(size for _, size in failure.others):
        return None
    is_enough = held >= (case.balance.short_bytes or 0)
    says = f"{len(contexts)} processes of {gib(held // len(contexts))} on average hold {gib(held)}: mostly CUDA contexts"
    pids = " ".join(str(pid) for pid, _ in contexts[:8])
    return Assessment(
        strength=PROVEN + 5 if is_enough else SUGGESTS,
        evidence=(*failure_lines(case), Evidence(source=str(failure.place), says=says, value=held)),
        at=failure.place,
        fixes=prescribe(
            case,
            "reduce_parallelism",
            "reduce_num_workers",
            "kill_other_process",
            "reduce_batch",
            recovers={"reduce_parallelism": held * 3 // 4, "kill_other_process": held},
            commands={"kill_other_process": f"kill {pids}"},
        ),
    )


RULE = Rule(
    id="DS607",
    name="many-contexts",
    cause="other_process",
    title="Many small processes share this card, and their contexts add up",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 120.00 MiB. GPU 0 has a total capacity of 7.79 GiB of which 20.00 MiB is free. Process 11 has 610.00 MiB memory in use. Process 12 has 610.00 MiB memory in use. Process 13 has 610.00 MiB memory in use. Process 14 has 610.00 MiB memory in use. Process 15 has 610.00 MiB memory in use. Including non-PyTorch memory, this process has 4.78 GiB memory in use. Of the allocated memory 4.21 GiB is allocated by PyTorch, and 61.10 MiB is reserved by PyTorch but unallocated.\n",
    ),
    near_miss=(
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 120.00 MiB. GPU 0 has a total capacity of 7.79 GiB of which 20.00 MiB is free. Process 11 has 6.10 GiB memory in use. Including non-PyTorch memory, this process has 1.62 GiB memory in use. Of the allocated memory 1.01 GiB is allocated by PyTorch, and 61.10 MiB is reserved by PyTorch but unallocated.\n",
    ),
)

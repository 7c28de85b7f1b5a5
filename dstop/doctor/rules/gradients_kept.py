"""Gradients stay allocated between the steps

What it means
    `zero_grad(set_to_none=False)` fills gradients with zeros instead of freeing them: a copy of the parameters, in their precision,
    stays through the next forward pass, where the activations peak.

Evidence
    The call stands in the traceback or in the log of a run that failed in the forward or backward pass; or a snapshot has
    gradients of an earlier step live in this one's forward pass, as large as what was short.

Fix
    `zero_grad(set_to_none=True)`, the default since PyTorch 2.0; or the optimizer's step in the backward pass, which frees each
    gradient at once.

When it is wrong
    With gradient accumulation they have to stay between micro-batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import weights_bytes
from dstop.doctor.questions.asking import failure_lines, rank_lines, told_by
from dstop.doctor.questions.remembering import kept_line
from dstop.doctor.rule import FITS, Assessment, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case


def _examine(case: Case) -> Assessment | None:
    failure, sign, memory = case.failure, case.first("torch.gradients_kept"), case.memory
    short = case.balance.short_bytes
    held = 0 if memory is None else memory.old_gradients.size_bytes
    if failure is None or case.phase in {"load", "save", "eval"}:
        return None
    if sign is None and (not short or held < short):
        return None
    seen = (
        [kept_line(memory, "of gradients is from an earlier step", memory.old_gradients)]
        if memory and held
        else []
    )
    recovers = {"zero_grad_set_to_none": held or weights_bytes(case)}
    return Assessment(
        strength=FITS + 3,
        evidence=(*failure_lines(case), *([told_by(sign)] if sign else []), *seen, *rank_lines(case)),
        at=failure.place,
        fixes=prescribe(
            case, "zero_grad_set_to_none", "reduce_batch", "grad_checkpointing", recovers=recovers
        ),
    )


RULE = Rule(
    id="DS113",
    name="gradients-kept",
    cause="optimizer_states",
    title="Gradients stay allocated between the steps",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """  File "/home/u/train.py", line 40, in main
    optimizer.zero_grad(set_to_none=False)
  File "/home/u/train.py", line 44, in forward
    return self.block(x)
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of 39.39 GiB of which 310.50 MiB is free. Including non-PyTorch memory, this process has 39.08 GiB memory in use. Of the allocated memory 37.80 GiB is allocated by PyTorch, and 500.70 MiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """  File "/home/u/train.py", line 40, in main
    optimizer.zero_grad()
  File "/home/u/train.py", line 44, in forward
    return self.block(x)
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of 39.39 GiB of which 310.50 MiB is free. Including non-PyTorch memory, this process has 39.08 GiB memory in use. Of the allocated memory 37.80 GiB is allocated by PyTorch, and 500.70 MiB is reserved by PyTorch but unallocated.
""",
    ),
)

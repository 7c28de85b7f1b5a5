"""The optimizer's foreach path makes a second copy of what it updates

What it means
    PyTorch's optimizers update lists of tensors at once (`foreach`, the default on CUDA) and hold temporaries about as large as
    the parameters while they do. The step that fitted for one tensor at a time does not fit so.

Evidence
    The failing frames are `_multi_tensor_*` or `torch._foreach_*`, in a step that makes no states. A snapshot tells how much the
    running step holds for itself.

Fix
    `fused=True` (no temporaries), or `foreach=False`. It saves about one copy of the parameters (PyTorch tutorial, "How to save
    memory by fusing the optimizer step into the backward pass": 1.2 GB of 6 GB).

When it is wrong
    At the very first step the states themselves are made (`_init_group`): those are DS103.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import weights_bytes
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.questions.remembering import kept_line
from dstop.doctor.rule import PROVEN, Assessment, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    if failure is None or not case.frames or case.in_frames(r"_init_group") is not None:
        return None
    last = "\n".join(f"{frame.function}:{frame.code}" for frame in case.frames[-3:])
    if "_multi_tensor_" not in last and "_foreach_" not in last:
        return None
    fixes = prescribe(
        case,
        "fused_optimizer",
        "optimizer_8bit",
        "lora",
        "zero3_offload",
        recovers={"fused_optimizer": _temporaries_bytes(case)},
    )
    evidence = [*failure_lines(case), *rank_lines(case)]
    memory = case.memory
    if memory is not None and memory.updating.size_bytes:
        evidence.append(kept_line(memory, "is temporaries of this optimizer's step", memory.updating))
    return Assessment(strength=PROVEN + 4, evidence=tuple(evidence), at=failure.place, fixes=fixes)


def _temporaries_bytes(case: Case) -> int | None:
    """Give what the step holds and asks for, by the snapshot; without one a copy of the weights."""
    memory, failure = case.memory, case.failure
    if memory is None or failure is None or not memory.updating.size_bytes:
        return weights_bytes(case)
    return memory.updating.size_bytes + (failure.tried_bytes or 0)


RULE = Rule(
    id="DS107",
    name="foreach-temporaries",
    cause="optimizer_states",
    title="The optimizer's foreach path makes a second copy of what it updates",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """  File "/home/u/finetune.py", line 140, in main
    optimizer.step()
  File "/opt/venv/lib/python3.11/site-packages/torch/optim/adamw.py", line 455, in _multi_tensor_adamw
    exp_avg_sq_sqrt = torch._foreach_sqrt(device_exp_avg_sqs)
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 224.00 MiB. GPU 0 has a total capacity of 79.15 GiB of which 60.00 MiB is free. Including non-PyTorch memory, this process has 79.08 GiB memory in use. Of the allocated memory 78.10 GiB is allocated by PyTorch, and 412.10 MiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """  File "/home/u/finetune.py", line 140, in main
    optimizer.step()
  File "/opt/venv/lib/python3.11/site-packages/torch/optim/adamw.py", line 152, in _init_group
    state["exp_avg_sq"] = torch.zeros_like(
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 224.00 MiB. GPU 0 has a total capacity of 79.15 GiB of which 60.00 MiB is free. Including non-PyTorch memory, this process has 79.08 GiB memory in use. Of the allocated memory 78.10 GiB is allocated by PyTorch, and 412.10 MiB is reserved by PyTorch but unallocated.
""",
    ),
)

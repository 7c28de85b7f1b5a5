"""Gradients and optimizer states do not fit, although the weights do

What it means
    Training keeps more than weights: gradients, and for Adam two moments a parameter, in mixed precision master weights too.
    They are made at the first `optimizer.step()`, so forward and backward pass once, and then the card is full.

Evidence
    The frames are the optimizer's (`step`, `_init_group`, `exp_avg`), or 16 bytes a parameter (2 weights, 2 gradients, 4 master
    weights, 8 moments: Rajbhandari et al., ZeRO, section 3.1) over the ranks that share them exceed the card by themselves;
    where the log names the model, the states of its `dstop plan` do.

Fix
    Shard the states (ZeRO, FSDP), keep them in 8 bits, put them on the host, or train adapters: LoRA has states for about 1 % of
    the parameters.

When it is wrong
    If the step has run before, the states were there: look for a leak (DS301) or a long sample (DS101).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import (
    counted,
    gib,
    trained_bytes,
    training_state_bytes,
    weights_bytes,
)
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.questions.remembering import live_lines
from dstop.doctor.rule import FITS, PROVEN, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_TRAINS = frozenset(("forward", "backward", "training", "optimizer", "unknown", "load"))


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    if failure is None or failure.is_absurd or case.phase not in _TRAINS:
        return None
    evidence = [*failure_lines(case), *live_lines(case), *rank_lines(case)]
    states, total = training_state_bytes(case), failure.total_bytes
    is_training = case.phase in {"backward", "training", "optimizer"} or case.says(
        r"(?i)\btrain(?:er|ing)?\b|optimizer|finetun"
    )
    exceeds = is_training and states is not None and total is not None and states > total
    if exceeds and states is not None and total is not None:
        setting = case.setting("parameters") or failure
        says = f"{counted(case)} need {gib(states)} of weights, gradients and Adam states a rank; the card has {gib(total)}"
        evidence.append(Evidence(source=str(setting.place), says=says, value=states))
    frame = case.in_frames(
        r"/optim/|_init_group|_multi_tensor_|exp_avg|stage_1_and_2\.py|stage3\.py.*(?:step|optimizer)|fused_adam|initialize_optimizer_states|distrib_optimizer"
    )
    in_step = case.phase == "optimizer" or frame is not None
    if in_step:
        strength = FITS + 8
    elif exceeds and (weights_bytes(case) or 0) < (total or 0) and case.phase != "load":
        strength = FITS + 2
    else:
        return None
    if in_step and exceeds:
        strength = PROVEN + 3
    recovers = {"lora": trained_bytes(case)}
    return Assessment(
        strength=strength,
        evidence=tuple(evidence),
        at=failure.place,
        fixes=prescribe(
            case,
            "lora",
            "zero3_offload",
            "shard_more_gpus",
            "reduce_batch",
            "quantize",
            "bigger_gpu",
            recovers=recovers,
        ),
    )


RULE = Rule(
    id="DS103",
    name="optimizer-states",
    cause="optimizer_states",
    title="Gradients and optimizer states do not fit, although the weights do",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """  File "/home/u/finetune.py", line 140, in main
    optimizer.step()
  File "/opt/venv/lib/python3.11/site-packages/torch/optim/adamw.py", line 209, in step
    has_complex = self._init_group(
  File "/opt/venv/lib/python3.11/site-packages/torch/optim/adamw.py", line 152, in _init_group
    state["exp_avg_sq"] = torch.zeros_like(
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 224.00 MiB. GPU 0 has a total capacity of 79.15 GiB of which 60.00 MiB is free. Including non-PyTorch memory, this process has 79.08 GiB memory in use. Of the allocated memory 78.10 GiB is allocated by PyTorch, and 412.10 MiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """  File "/home/u/finetune.py", line 131, in main
    loss.backward()
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 224.00 MiB. GPU 0 has a total capacity of 79.15 GiB of which 60.00 MiB is free. Including non-PyTorch memory, this process has 79.08 GiB memory in use. Of the allocated memory 78.10 GiB is allocated by PyTorch, and 412.10 MiB is reserved by PyTorch but unallocated.
""",
    ),
)

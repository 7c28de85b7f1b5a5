"""The auxiliary loss of a mixture of experts expands its routing

What it means
    The load-balancing loss turns the routing of all layers into a one-hot tensor: layers x tokens x chosen experts x experts x 8
    bytes. At 131k tokens that is tens of GiB, for a loss that is a single number.

Evidence
    The failing frame is `load_balancing_loss_func` or the like, at `one_hot`.

Fix
    A version that counts instead of expanding (transformers after 4.57), or `output_router_logits=False`.

When it is wrong
    Expert GEMMs and permutations that fail on one rank alone are imbalance, not this loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.rule import PROVEN, Assessment, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    if failure is None or case.in_frames(r"load_balancing_loss|aux_loss|router_loss|z_loss") is None:
        return None
    if case.in_frames(r"one_hot|expert_mask|router") is None:
        return None
    fixes = prescribe(
        case,
        "upgrade_version",
        "change_config",
        "reduce_seq_len",
        "reduce_batch",
        commands={"change_config": "model.config.output_router_logits = False"},
        recovers={"change_config": failure.tried_bytes, "upgrade_version": failure.tried_bytes},
    )
    evidence = (*failure_lines(case), *rank_lines(case))
    return Assessment(strength=PROVEN + 5, evidence=evidence, at=failure.place, fixes=fixes)


RULE = Rule(
    id="DS112",
    name="router-loss",
    cause="huge_single_allocation",
    title="The auxiliary loss of a mixture of experts expands its routing",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """  File "/opt/venv/lib/python3.11/site-packages/transformers/models/qwen3_moe/modeling_qwen3_moe.py", line 560, in load_balancing_loss_func
    expert_mask = torch.nn.functional.one_hot(selected_experts, num_experts)
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 48.00 GiB. GPU 0 has a total capacity of 139.80 GiB of which 31.20 GiB is free. Including non-PyTorch memory, this process has 108.18 GiB memory in use. Of the allocated memory 101.60 GiB is allocated by PyTorch, and 1.62 GiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """  File "/opt/venv/lib/python3.11/site-packages/transformers/models/qwen3_moe/modeling_qwen3_moe.py", line 240, in forward
    routing_weights = F.softmax(router_logits, dim=1, dtype=torch.float)
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 480.00 MiB. GPU 0 has a total capacity of 139.80 GiB of which 311.20 MiB is free. Including non-PyTorch memory, this process has 139.48 GiB memory in use. Of the allocated memory 137.60 GiB is allocated by PyTorch, and 1.02 GiB is reserved by PyTorch but unallocated.
""",
    ),
)

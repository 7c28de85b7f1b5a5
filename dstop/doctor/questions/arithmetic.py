"""The sums that several rules need: what is short, what a batch holds, what weights and states take.

Where the case names a model that is known they are those of `dstop plan` (`dstop.footprint`); where it names a size
alone, the plain ones that every size has: 2 bytes a weight, 16 a parameter that is trained, activations that grow with
the batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dstop.errors import PlanError
from dstop.model.value import Value
from dstop.units import GIB, MIB

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.doctor.case import Case
    from dstop.model.footprint import Footprint

CONTEXT_BYTES = 700 * MIB
"""A CUDA context with PyTorch's kernels: 0.3 to 0.7 GiB; the upper end is left out of what others are blamed for."""

MOST_BYTES = 2**63
"""More than any card has: of a batch that the plan refuses."""

SMALL_SEGMENT_BYTES = 2 * MIB
LARGE_SEGMENT_BYTES = 20 * MIB
"""What the allocator asks of the driver for requests up to 1 MiB, and for those from 1 to 10 MiB."""


def is_any_request(tried_bytes: int | None) -> bool:
    """Whether the request is one of the allocator's own segment sizes.

    2.00 MiB stands for any request up to 1 MiB and 20.00 MiB for any from 1 to 10 MiB (CUDACachingAllocator.cpp,
    get_allocation_size): the card was full, and the line that failed is innocent.
    """
    return tried_bytes in {SMALL_SEGMENT_BYTES, LARGE_SEGMENT_BYTES}


def foreign_bytes(case: Case) -> int | None:
    """Give what neither this process nor the free memory explains, a context left out where it may be ours; or None."""
    balance = case.balance
    if balance.unattributed_bytes is None:
        return balance.others_bytes
    unattributed = balance.unattributed_bytes
    if balance.not_pytorch_bytes is None:
        unattributed = max(0, unattributed - CONTEXT_BYTES)
    return unattributed + (balance.others_bytes or 0)


def own_bytes(case: Case) -> int | None:
    """Give what this process holds on the card: as the driver counts it, else what its allocator reserved."""
    failure = case.failure
    if failure is None:
        return None
    return failure.process_bytes if failure.process_bytes is not None else failure.reserved_bytes


def parameters_of(case: Case) -> int | None:
    """Give the parameters of the model: counted where it is known, else what the log says of its size."""
    return case.number("parameters") if case.expected is None else case.expected.architecture.total_parameters


def planned(case: Case, **changes: Any) -> Footprint | None:
    """Give the plan of the job as the log has it, with fields of its SPEC changed; None where it is not known.

    Args:
        case: the facts.
        changes: fields of `dstop.footprint.spec.values.Spec`, such as `batch=4`.
    """
    if case.expected is None or case.expected.spec is None:
        return None
    from dstop.footprint.estimate import estimate  # noqa: PLC0415 - only for a case whose model is known

    try:
        return estimate(replace(case.expected.spec, **changes))
    except PlanError:
        return None


def weights_bytes(case: Case) -> int | None:
    """Give the bytes of all weights by the parameter count, in the precision the log names (16 bits without)."""
    parameters = parameters_of(case)
    if parameters is None:
        return None
    if case.flag("quantized"):
        return parameters // 2
    return parameters * 2


def weights_of_card_bytes(case: Case) -> int | None:
    """Give the bytes of the weights on one card: by the plan's shards where the model is known, else an even share."""
    plan = planned(case)
    if plan is not None and plan.phase == "inference":
        return plan.per_gpu.parts.weights_bytes
    weights = weights_bytes(case)
    return None if weights is None else weights // (case.number("tensor_parallel") or 1)


def trained_bytes(case: Case) -> int | None:
    """Give gradients, master weights and moments of a full fine-tune on one rank: what adapters do without.

    By the plan where the model is known, else 14 of the 16 bytes a parameter (see `training_state_bytes`).
    """
    plan, states = planned(case), training_state_bytes(case)
    if plan is not None and plan.phase == "training":
        return plan.per_gpu.parts.gradients_bytes + plan.per_gpu.parts.optimizer_bytes
    return None if states is None else int(states * 14 / 16)


def counted(case: Case) -> str:
    """Say how many parameters there are, and of what: `Llama-3.2-1B has 1,235,814,400 parameters`."""
    parameters = parameters_of(case) or 0
    if case.expected is None:
        return f"{parameters:,} parameters"
    return f"the {parameters:,} parameters of {case.expected.architecture.name}"


def training_state_bytes(case: Case) -> int | None:
    """Give weights, gradients and Adam's states of a full fine-tune on one rank.

    By the plan where the model is known. Else in mixed precision 16 bytes a parameter: 2 weights + 2 gradients + 4
    master weights + 8 moments (Rajbhandari et al., ZeRO, section 3.1); what is sharded is divided by the ranks. Of a
    job of several ranks that does not say whether it shards, nothing is claimed.
    """
    if case.flag("lora") or not _says_how_it_shards(case):
        return None
    plan = planned(case)
    if plan is not None and plan.phase == "training":
        return plan.per_gpu.parts.static_bytes
    parameters = parameters_of(case)
    if parameters is None:
        return None
    world = case.number("world_size") or 1
    stage = case.number("zero_stage") or (3 if case.flag("fsdp") else 0)
    per_parameter = {0: 16.0, 1: 4 + 12 / world, 2: 2 + 14 / world}.get(stage, 16 / world)
    return int(parameters * per_parameter)


def _says_how_it_shards(case: Case) -> bool:
    """Whether one rank holds all states, or it is known who shares them."""
    alone = (case.number("world_size") or 1) == 1
    return alone or case.number("zero_stage") is not None or case.flag("fsdp")


def gib(count: int | None) -> str:
    """Write bytes for a sentence: `1.93 GiB`, `20 MiB`, `512 bytes`."""
    if count is None:
        return "an unknown amount"
    if abs(count) >= GIB:
        return f"{count / GIB:.2f} GiB"
    if abs(count) >= MIB:
        return f"{count / MIB:.0f} MiB"
    return f"{count} bytes"


def static_bytes(case: Case) -> int | None:
    """Give what does not grow with the batch: weights, and in training gradients and states of what is trained."""
    if case.phase in {"inference", "eval"}:
        return weights_bytes(case)
    plan = planned(case)
    if plan is not None and plan.phase == "training":
        return plan.per_gpu.parts.static_bytes
    return weights_bytes(case) if case.flag("lora") else training_state_bytes(case)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class BatchFit(Value):
    """Which micro-batches would have fitted instead of the one that failed, and by what arithmetic."""

    surely: int
    """The largest that fits also at the high end of the plan's band; 0: none, or nothing is known of it."""
    likely: int
    """The largest that fits by the expected value; 0: none."""
    says: str
    """The arithmetic in words."""

    def claim(self, batch: int) -> str:
        """Say it of the batch that failed: `6 fits, up to 8 may, 9 does not, by ...`."""
        if self.surely == self.likely:
            return f"{self.surely} fits, {batch} does not, by {self.says}"
        if self.surely:
            return f"{self.surely} fits, up to {self.likely} may, {batch} does not, by {self.says}"
        return f"about {self.likely}, by {self.says}"


def batch_that_fits(case: Case) -> BatchFit | None:
    """Give the micro-batches that would have fitted; None where nothing tells.

    By the plan of the job where the log names its model, batch and sequence, and where the failure is within that
    plan's band: one by which the batch of the log fits even at its high end is not about this failure. Else by a linear
    model of what was live at the failure, which knows neither how far the step was from its peak nor what was cached.
    """
    return _planned_batch(case) or _linear_batch(case)


def _planned_batch(case: Case) -> BatchFit | None:
    """Try smaller batches in the plan, against what the card has without its other processes."""
    failure, batch, expected = case.failure, case.number("batch"), case.expected
    if (
        failure is None
        or failure.total_bytes is None
        or not batch
        or expected is None
        or not expected.knows_step
    ):
        return None
    room = (failure.allowed_bytes or failure.total_bytes) - sum(amount for _pid, amount in failure.others)
    failed = planned(case, batch=batch)
    if failed is None or failed.per_gpu.high_bytes <= room:
        return None
    likely = _largest(lambda size: _needs(case, size) <= room, batch)
    surely = _largest(lambda size: _needs(case, size, high=True) <= room, batch)
    sequence = 0 if expected.spec is None else expected.spec.sequence or 0
    least = max(1, likely)
    says = (
        f"the plan of {expected.architecture.name} at {sequence:,} tokens ({gib(failed.per_gpu.parts.total_bytes)} of"
        f" {gib(room)} at batch {batch}, {gib(_needs(case, least))} at {least})"
    )
    return BatchFit(surely=surely, likely=likely, says=says)


def _largest(fits: Callable[[int], bool], failed: int) -> int:
    """Give the largest batch below the one that failed which fits; 0 where none does."""
    low, high = 0, failed  # low fits or is none, high does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _needs(case: Case, batch: int, *, high: bool = False) -> int:
    plan = planned(case, batch=batch)
    if plan is None:
        return MOST_BYTES
    return plan.per_gpu.high_bytes if high else plan.per_gpu.parts.total_bytes


def _linear_batch(case: Case) -> BatchFit | None:
    """Let activations grow with the batch: they are allocated + request - static, and b x (act - short) / act fit."""
    batch, short, activations = case.number("batch"), case.balance.short_bytes, activation_bytes(case)
    if not batch or short is None or activations is None or activations <= short:
        return None
    largest = min(batch - 1, int(batch * (activations - short) / activations))
    if not largest:
        return None
    return BatchFit(surely=0, likely=largest, says="a linear model of what was live when it failed")


def activation_bytes(case: Case) -> int | None:
    """Give what activations take, as what is allocated and asked for beyond what is static; or None."""
    failure, static = case.failure, static_bytes(case)
    if failure is None or static is None or failure.allocated_bytes is None:
        return None
    found = failure.allocated_bytes + (failure.tried_bytes or 0) - static
    return found if found > 0 else None


def checkpointing_recovers_bytes(case: Case) -> int | None:
    """Give what full recomputation saves: by the plan where the model is known, else by the size of its layers.

    34sbh bytes a layer become 2sbh, and one layer is made again. Source: Korthikanti et al., arXiv 2205.05198,
    equation 1 without the score matrices (flash attention), 16-bit. At most what was live beyond the states, for the
    step may have failed long before its peak; None where that is not known, and more than all that was live.
    """
    saved = _checkpointing_saves(case)
    live = case.failure.allocated_bytes if case.failure is not None else None
    return activation_bytes(case) if saved is not None and live is not None and saved > live else saved


def _checkpointing_saves(case: Case) -> int | None:
    without, with_it = planned(case, checkpointing="none"), planned(case, checkpointing="full")
    if without is not None and with_it is not None and case.expected is not None and case.expected.knows_step:
        return max(0, without.per_gpu.parts.total_bytes - with_it.per_gpu.parts.total_bytes)
    batch, sequence, hidden, layers = (
        case.number(name) for name in ("batch", "sequence", "hidden", "layers")
    )
    if not batch or not sequence or not hidden or not layers:
        return None
    token_bytes = batch * sequence * hidden
    return max(0, 34 * token_bytes * layers - 2 * token_bytes * layers - 34 * token_bytes)

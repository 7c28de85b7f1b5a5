"""The sums that several rules need: what is short, what a batch holds, what weights and states take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.units import GIB, MIB

if TYPE_CHECKING:
    from dstop.doctor.case import Case

CONTEXT_BYTES = 700 * MIB
"""A CUDA context with PyTorch's kernels: 0.3 to 0.7 GiB; the upper end is left out of what others are blamed for."""

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


def weights_bytes(case: Case) -> int | None:
    """Give the bytes of all weights by the parameter count, in the precision the log names (16 bits without)."""
    parameters = case.number("parameters")
    if parameters is None:
        return None
    if case.flag("quantized"):
        return parameters // 2
    return parameters * 2


def training_state_bytes(case: Case) -> int | None:
    """Give weights, gradients and Adam's states of a full fine-tune in mixed precision: 16 bytes a parameter.

    2 weights + 2 gradients + 4 master weights + 8 moments (Rajbhandari et al., ZeRO, section 3.1); what is sharded over
    ranks is divided by them.
    """
    parameters = case.number("parameters")
    if parameters is None or case.flag("lora"):
        return None
    world = case.number("world_size") or 1
    stage = case.number("zero_stage") or (3 if case.flag("fsdp") else 0)
    per_parameter = {0: 16.0, 1: 4 + 12 / world, 2: 2 + 14 / world}.get(stage, 16 / world)
    return int(parameters * per_parameter)


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
    """Give what does not grow with the batch: weights, and in training of all parameters gradients and states too."""
    if case.phase in {"inference", "eval"} or case.flag("lora"):
        return weights_bytes(case)
    return training_state_bytes(case)


def batch_that_fits(case: Case) -> int | None:
    """Give the largest micro-batch that would have fitted, by a linear model of activations; or None.

    act = allocated + request - static grows with b, so b_max = floor(b x (act - short) / act).
    """
    failure, batch, static = case.failure, case.number("batch"), static_bytes(case)
    short = case.balance.short_bytes
    if failure is None or not batch or static is None or short is None or failure.allocated_bytes is None:
        return None
    activations = failure.allocated_bytes + (failure.tried_bytes or 0) - static
    if activations <= short:
        return None
    return min(batch - 1, int(batch * (activations - short) / activations)) or None


def activation_bytes(case: Case) -> int | None:
    """Give what activations take, as what is allocated and asked for beyond what is static; or None."""
    failure, static = case.failure, static_bytes(case)
    if failure is None or static is None or failure.allocated_bytes is None:
        return None
    found = failure.allocated_bytes + (failure.tried_bytes or 0) - static
    return found if found > 0 else None


def checkpointing_recovers_bytes(case: Case) -> int | None:
    """Give what full recomputation saves: 34sbh bytes a layer become 2sbh, and one layer is made again.

    Source: Korthikanti et al., arXiv 2205.05198, equation 1 without the score matrices (flash attention), 16-bit.
    """
    batch, sequence, hidden, layers = (
        case.number(name) for name in ("batch", "sequence", "hidden", "layers")
    )
    if not batch or not sequence or not hidden or not layers:
        return None
    token_bytes = batch * sequence * hidden
    return max(0, 34 * token_bytes * layers - 2 * token_bytes * layers - 34 * token_bytes)

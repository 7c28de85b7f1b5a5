"""How far a training footprint may be from its expected value, and why."""

from __future__ import annotations

from math import hypot
from typing import TYPE_CHECKING

from dstop.footprint.training.optimizers import steps_foreach
from dstop.footprint.training.overheads import MOST_SLACK, libraries, outside, slack
from dstop.footprint.training.peak import STEP, step_copies

if TYPE_CHECKING:
    from dstop.footprint.spec.values import Spec
    from dstop.footprint.training.peak import Moment
    from dstop.footprint.training.states import States
    from dstop.model.footprint import Parts

STATES = (0.01, 0.03)
"""States are counted; rounding to 512 bytes and ends of segments come on top."""
MEASURED, EAGER, COMPILED, MEGATRON = (0.04, 0.08), (0.12, 0.35), (0.3, 0.35), (0.12, 0.35)
"""Below and above, of what comes and goes. transformers' code: recorded from real PyTorch. Others in eager PyTorch:
versions of one program differ by 25 to 30 % in saved activations (torchtune's table, measured twice). Compiled: the
partitioner decides (one recipe of torchtitan, three machines: 0.71 to 1 of each other). Megatron-LM: dispatchers keep
buffers, and fusions are chosen one by one."""
QUANTIZED = 0.4
"""Below, where the base of adapters has 4 bits: versions of bitsandbytes keep all inputs of matrices, or none."""


def band_of(spec: Spec, parts: Parts, states: States, peak: Moment) -> tuple[int, int]:
    """Give the low and the high end of the total.

    What may differ does so for reasons of its own, so that deviations are added as independent ones are, by squares:
    states, activations and logits, the allocator, what is outside it, gradients that are there already because
    micro-batches add to them, and the optimizer's step, which may be fused or not whatever is usual.
    """
    below, above = _spread(spec)
    held = states.weights + states.optimizer + min(states.gradients, peak.gradients)
    allocated = parts.allocated_bytes
    passing = allocated - held
    expected, apart = slack(spec), outside(spec, "expected")
    fused, lists = _other_step(spec, states, peak)
    down = hypot(STATES[0] * held, below * passing, expected * allocated, apart - outside(spec, "low"), fused)
    up = hypot(
        STATES[1] * held,
        above * passing,
        (MOST_SLACK - expected) * allocated,
        outside(spec, "high") - apart,
        max(0.0, states.gradients - peak.gradients),
        lists,
    )
    return int(parts.total_bytes - down), int(parts.total_bytes + up)


def _other_step(spec: Spec, states: States, peak: Moment) -> tuple[float, float]:
    """Give how much less a fused step would take, and how much more one on lists of tensors, than what is expected."""
    copies = 0.0 if spec.optimizer_in_backward else step_copies(spec, states)
    if steps_foreach(spec):
        return (copies if peak.at == STEP else 0.0), 0.0
    if spec.compile:  # recipes that are compiled are fused
        return 0.0, 0.0
    return 0.0, max(0.0, states.gradients + copies + libraries(spec) - peak.total)


def _spread(spec: Spec) -> tuple[float, float]:
    if spec.framework == "megatron":
        return MEGATRON
    if spec.compile or spec.checkpointing == "selective":
        return COMPILED
    below, above = MEASURED if spec.framework == "hf" else EAGER
    four = spec.lora is not None and spec.lora.base in {"nf4", "nf4-dq", "int4"}
    return (QUANTIZED, max(above, QUANTIZED)) if four else (below, above)

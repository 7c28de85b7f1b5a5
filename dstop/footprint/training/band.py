"""How far a training footprint may be from its expected value, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.training.overheads import SLACK, outside

if TYPE_CHECKING:
    from dstop.footprint.spec.values import Spec
    from dstop.footprint.training.peak import Moment
    from dstop.footprint.training.states import States
    from dstop.model.footprint import Parts

STATES = (0.99, 1.02)
"""States are counted; rounding to 512 bytes and ends of segments come on top."""
MEASURED, EAGER, COMPILED, MEGATRON = (0.94, 1.08), (0.85, 1.3), (0.65, 1.3), (0.8, 1.35)
"""Of what comes and goes. transformers' code: recorded from real PyTorch. Others in eager PyTorch: versions of one
program differ by 25 to 30 % in saved activations (torchtune's table, measured twice). Compiled: the partitioner decides
(one recipe of torchtitan, three machines: 0.71 to 1.0 of each other). Megatron-LM: dispatchers and fusions."""


def band_of(spec: Spec, parts: Parts, states: States, peak: Moment) -> tuple[int, int]:
    """Give the low and the high end of the total: each part at its own end, which errs towards a wide band."""
    low, high = _spread(spec)
    held = states.weights + states.optimizer + min(states.gradients, peak.gradients)
    passing = parts.allocated_bytes - held
    bottom = (held * STATES[0] + passing * low) * (1 + SLACK["low"]) + outside(spec, "low")
    top = (held * STATES[1] + passing * high) * (1 + SLACK["high"]) + outside(spec, "high")
    return int(bottom), int(top)


def _spread(spec: Spec) -> tuple[float, float]:
    if spec.framework == "megatron":
        return MEGATRON
    if spec.compile or spec.checkpointing == "selective":
        return COMPILED
    return MEASURED if spec.framework == "hf" else EAGER

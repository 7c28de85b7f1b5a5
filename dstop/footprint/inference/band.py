"""How far each part of an inference footprint may be from its expected value, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.footprint.scheme import scheme_of
from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.footprint.inference.overheads import Outside
    from dstop.footprint.spec.values import Spec
    from dstop.model.footprint import Parts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Served(Value):
    """The parts with their band."""

    parts: Parts
    low_bytes: int
    high_bytes: int
    peak_at: str


EXACT = 0.003
"""Weights and caches are counted; loaders and logs differ by this much (rounded figures, tables, ends of segments)."""
REPACKED = 0.02
"""Engines pad and repack quantized matrices for their kernels (Marlin, DeepGEMM)."""
TRANSFORMERS = (0.92, 1.15)
"""Of what a pass takes: published peaks of Qwen2.5 are 1.00 to 1.12 of the arithmetic; older versions keep more."""
ENGINE = (0.6, 1.6)
"""Of what a pass takes: versions differ in fusion, samplers and workspaces."""
EXPECTED_SLACK = 0.25
"""Of what comes and goes in transformers: what the allocator holds beyond its peak. Prompts of Llama-3-8B, Qwen3-4B and
four layers of DeepSeek-V3 leave 0.28 to 0.31 of cache and pass (recordings of PyTorch 2.14): the cache of each layer
stays in the middle of what the next could use."""
SLACK = (0.4, 1.8)
"""Shares of the expected slack that are taken for possible."""


def banded(
    spec: Spec,
    parts: Parts,
    around: Outside,
    transient: tuple[float, float],
    *,
    peak_at: str = "serving",
    wasted: int = 0,
) -> Served:
    """Give the band of a total: each part at its own low and high end, which errs towards a wide band.

    Args:
        spec: settled.
        parts: as expected.
        around: what lies outside the allocator.
        transient: shares of what comes and goes, at the low and the high end.
        peak_at: the moment.
        wasted: of what is reserved and not allocated, what lies between the weights for certain.
    """
    repacked = REPACKED if scheme_of(spec.architecture, spec.weights or "native").quantized else 0.0
    held = parts.weights_bytes + parts.kv_cache_bytes
    passing = parts.activations_bytes + parts.logits_bytes + parts.workspace_bytes
    low = held * (1 - EXACT) + passing * transient[0] + around.low_bytes
    high = held * (1 + EXACT) + parts.weights_bytes * repacked + passing * transient[1] + around.high_bytes
    slack = parts.reserved_unallocated_bytes - wasted
    low += wasted + SLACK[0] * slack
    high += wasted + SLACK[1] * slack
    return Served(parts=parts, low_bytes=int(low), high_bytes=int(high), peak_at=peak_at)

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
EXPECTED_SLACK = 0.05
"""Of what comes and goes: what the allocator holds beyond its peak; nothing at best, three times that at worst
(arXiv 2502.07846 gives 5 to 30 % for all of training, where more sizes are mixed)."""


def banded(spec: Spec, parts: Parts, around: Outside, transient: tuple[float, float], peak_at: str) -> Served:
    """Give the band of a total: each part at its own low and high end, which errs towards a wide band."""
    repacked = REPACKED if scheme_of(spec.architecture, spec.weights or "native").quantized else 0.0
    held = parts.weights_bytes + parts.kv_cache_bytes
    passing = parts.activations_bytes + parts.logits_bytes + parts.workspace_bytes
    low = held * (1 - EXACT) + passing * transient[0] + around.low_bytes
    high = held * (1 + EXACT) + parts.weights_bytes * repacked + passing * transient[1] + around.high_bytes
    high += 3 * parts.reserved_unallocated_bytes
    return Served(parts=parts, low_bytes=int(low), high_bytes=int(high), peak_at=peak_at)

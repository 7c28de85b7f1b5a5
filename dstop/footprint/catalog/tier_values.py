"""A tier beside arithmetic: the answer of `tier_report`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.footprint.catalog.values import Tier
    from dstop.model.footprint import Footprint


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class TierEnd(Value):
    """One end of a tier's range of sizes: the guide's figures beside arithmetic for a dense Llama of that size."""

    parameters: float
    training: Footprint
    """Of the guide's example: its GPUs, its batch, states sharded over all of them (ZeRO stage 3)."""
    inference: Footprint
    """Weights in 16 bits over the guide's GPUs, one sequence."""
    implied_bytes_per_parameter: float
    """By the guide's example, on all its GPUs."""
    states_bytes_per_parameter: float
    """By arithmetic: weights, gradients, fp32 master copy and both moments."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class TierReport(Value):
    """A tier beside arithmetic: what the guide says, what follows, and where the two cannot both be right."""

    tier: Tier
    ends: tuple[TierEnd, ...]
    """The low end of its sizes and, where there is one, the high end."""
    contradictions: tuple[str, ...]
    """One sentence each, with the figures of both sides; empty when the guide's figures are possible."""
    remarks: tuple[str, ...]
    """Where the guide is generous or leaves something open; its figures are possible all the same."""

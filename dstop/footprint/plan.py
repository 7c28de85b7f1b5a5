"""One plan with all that was found out about it: what a program or a reader is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.footprint.catalog.tier_values import TierReport
    from dstop.footprint.cost import Cost
    from dstop.footprint.search.cheapest import Searched
    from dstop.footprint.spec.values import Spec
    from dstop.model.footprint import Fit, Footprint


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Plan(Value):
    """The answer of `dstop plan`."""

    spec: Spec
    """Settled: with every field that was computed with."""
    footprint: Footprint
    fits: Sequence[Fit]
    searched: Searched | None = None
    """None where nobody asked for it; likewise below."""
    costs: Sequence[Cost] | None = None
    """A card each, of those that hold it."""
    tier: TierReport | None = None

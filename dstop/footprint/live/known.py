"""A process that was recognised: what it should hold, and what would change that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.footprint.live.files import Reader
    from dstop.model.footprint import Footprint, RankFootprint
    from dstop.model.process import ProcessFacts
    from dstop.model.segment import ModelFacts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Witness(Value):
    """All that can be asked of one process on one card."""

    facts: ProcessFacts
    cmdlines: Sequence[tuple[str, ...]] = ()
    """Its parents', nearest first."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """Empty where it may not be read."""
    read: Reader | None = None
    """Reads files as the process would see them; None where it is not of this machine."""
    attached: bool = False
    """Whether it carries a hook."""
    inside: ModelFacts | None = None
    """What its hook has counted; None without one, or while it has not."""
    gpu_bytes: int | None = None
    """Memory of its card, or of its slice of one, as the driver reports it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Hypothesis(Value):
    """What the total would be if one thing were another way than it is taken to be."""

    name: str
    """As in `Cause`."""
    says: str
    bytes: int
    """Total then minus total now."""
    parts: tuple[str, ...] = ()
    """Those that would change: where they are measured, there is nothing to suppose."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Known(Value):
    """The answer of `recognise`, for as long as the process lives and says nothing new."""

    model: str
    tier: str | None = None
    sources: Mapping[str, str]
    footprint: Footprint | None = None
    """None where the user has only named a tier."""
    rank: RankFootprint | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)
    low_bytes: int
    expected_bytes: int | None
    high_bytes: int | None
    hypotheses: tuple[Hypothesis, ...] = ()
    reported: Mapping[str, int] = field(default_factory=dict)
    """Part -> bytes, as its own log tells them."""

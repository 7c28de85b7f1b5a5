"""What the doctor says of a failure: the cause, what proves it, and what would have helped."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from dstop.model.evidence import Evidence, Fix
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Balance", "Confidence", "Diagnosis", "Evidence", "Fix", "Report"]


class Confidence(StrEnum):
    """How sure a diagnosis is. Words and no percentage: nobody has measured one."""

    CERTAIN = "certain"
    """The program that failed says so itself, or the figures leave no other reading."""
    LIKELY = "likely"
    """The figures and the circumstances fit this cause better than its neighbours."""
    POSSIBLE = "possible"
    """Nothing contradicts it, and nothing rules its neighbours out."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Balance(Value):
    """Where the memory of a card was when an allocation failed; what is unknown is None.

    The parts add up to `total_bytes` within `rounding_bytes`, which is what the message's own rounding allows.
    """

    total_bytes: int | None = None
    allocated_bytes: int | None = None
    """Live tensors of this process, those in private pools left out."""
    private_pool_bytes: int | None = None
    """In pools of CUDA graphs: eager code cannot use it."""
    cached_bytes: int | None = None
    """Kept by PyTorch for this process, and used by no tensor."""
    not_pytorch_bytes: int | None = None
    """Of this process, outside the allocator: context, NCCL, libraries."""
    others_bytes: int | None = None
    """Of other processes that the message names."""
    unattributed_bytes: int | None = None
    """Neither free nor of anybody named."""
    free_bytes: int | None = None
    rounding_bytes: int = 0
    tried_bytes: int | None = None
    """The request that failed."""

    @property
    def short_bytes(self) -> int | None:
        """What was missing: the request less what was free; at least 0."""
        if self.tried_bytes is None or self.free_bytes is None:
            return None
        return max(0, self.tried_bytes - self.free_bytes)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Diagnosis(Value):
    """One explanation of a failure."""

    rule: str
    """`DS201`; `dstop explain` prints its page."""
    cause: str
    subcause: str | None = None
    title: str
    confidence: Confidence
    evidence: tuple[Evidence, ...] = ()
    against: tuple[str, ...] = ()
    """What speaks against it, or against advice that the message itself gives."""
    balance: Balance | None = None
    fixes: tuple[Fix, ...] = ()
    rank: int | None = None
    """Of the process that failed first."""
    device: int | None = None
    """As the process counts its devices."""
    phase: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Report(Value):
    """All that was found in what was looked at, best first."""

    diagnoses: tuple[Diagnosis, ...] = ()
    facts: Mapping[str, int | float | str | None]
    """The figures of the failure that came first, as the JSON contract names them."""
    sources: tuple[str, ...] = ()
    """What was read."""
    notes: tuple[str, ...] = ()
    """What could not be read, or only in part, and why."""

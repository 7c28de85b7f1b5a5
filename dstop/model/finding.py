"""Something that a rule noticed on a running machine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.model.evidence import Evidence, Fix


class Severity(StrEnum):
    """How soon somebody should look."""

    NOTE = "note"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Finding(Value):
    """A live finding: it stands as long as what it says is so."""

    rule: str
    cause: str
    severity: Severity
    badge: str
    """At most ten letters, for the line of a GPU or a process: `LEAK 14m`."""
    says: str
    """One sentence with its figures."""
    gpu_index: int | None = None
    pid: int | None = None
    started_at_s: float | None = None
    """With `pid`: which process of that number."""
    evidence: tuple[Evidence, ...] = ()
    fixes: tuple[Fix, ...] = ()

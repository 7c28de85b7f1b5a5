"""What a rule is: its page, its question, an example that fires, and a near miss that does not.

A rule is one file in `rules/`, read from top to bottom: the module's docstring is its page, which `dstop explain`, the
README's catalogue and the screen print as it stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.diagnosis import Confidence
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import Place
    from dstop.doctor.live.scene import Scene
    from dstop.model.diagnosis import Evidence, Fix
    from dstop.model.finding import Finding

SAYS_SO = 90
"""The program that failed names this cause in its own words."""
PROVEN = 75
"""The figures leave no other reading."""
FITS = 60
"""Figures and circumstances fit, and fit the neighbours less."""
SUGGESTS = 45
"""One circumstance suggests it."""
DEFAULT = 30
"""What such a failure usually is, when nothing says more."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Assessment(Value):
    """A rule's answer for a case."""

    strength: int
    """On the scale above; it orders diagnoses, and is no probability."""
    evidence: tuple[Evidence, ...]
    fixes: tuple[Fix, ...] = ()
    at: Place | None = None
    """Of the fact that the rule stands on: what came later may be the aftermath of what came first."""
    against: tuple[str, ...] = ()
    title: str | None = None
    """Instead of the rule's, with figures in it."""
    subcause: str | None = None

    @property
    def confidence(self) -> Confidence:
        """Give the word for the strength."""
        if self.strength >= PROVEN:
            return Confidence.CERTAIN
        return Confidence.LIKELY if self.strength >= FITS - 5 else Confidence.POSSIBLE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Rule(Value):
    """One explanation, and how to tell whether it holds."""

    id: str
    """`DS201`; the first digit is the family."""
    name: str
    """`fragmented-cache`: reads well after "this is"."""
    cause: str
    title: str
    """One line, without figures."""
    page: str
    examine: Callable[[Case], Assessment | None] | None = None
    """Pure: a case in, an answer or None out."""
    fires: tuple[str, ...] = ()
    """Logs for which this rule comes first."""
    near_miss: tuple[str, ...] = ()
    """Logs that look alike, for which it does not fire."""
    is_of_snapshots: bool = False
    """Only a memory snapshot can answer it: its examples are in its tests, for no log tells enough."""
    watch: Callable[[Scene], list[Finding]] | None = None
    """The same question put to a running machine; None where only a crash can answer it."""

    @property
    def text(self) -> str:
        """Give the page without its first line, which is the title."""
        return self.page.partition("\n")[2].strip()


FAMILIES = {
    "1": "Capacity",
    "2": "Allocator",
    "3": "Leaks",
    "4": "Other processes and placement",
    "5": "Serving engines",
    "6": "Distributed",
    "7": "Host memory",
    "8": "Driver and hardware",
    "9": "Not memory",
}
"""By the first digit of a rule's number."""

"""What proves a diagnosis or a finding, and what would help."""

from __future__ import annotations

from dataclasses import dataclass

from dstop.model.value import Value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Evidence(Value):
    """One thing that was found, and where."""

    source: str
    """`crash.log:12`, `incident 2026…-oom`, `kernel log`, `GPU 3`."""
    says: str
    value: int | float | str | None = None
    """The figure behind the words: bytes, seconds, a count."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Fix(Value):
    """One change, held against what was short."""

    id: str
    title: str
    command: str | None = None
    """A line to paste: an option, an environment variable, or code."""
    recovers_bytes: int | None = None
    """What it frees; None where that cannot be computed from what is known."""
    short_bytes: int | None = None
    """What was missing when the allocation failed."""
    cost: str = ""
    """What it takes from the user: speed, quality, a restart, money."""

    @property
    def is_enough(self) -> bool | None:
        """Whether it frees what was short; None where one of the two is unknown."""
        if self.recovers_bytes is None or self.short_bytes is None:
            return None
        return self.recovers_bytes >= self.short_bytes

"""At which resolutions the past is kept, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

from dstop.model.value import Value

HOUR_S, DAY_S = 3600, 86_400


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Tier(Value):
    """One resolution: how long a bucket is, and how much recorded time is kept at it."""

    step_s: int
    keep_s: int

    @property
    def buckets(self) -> int:
        """How many buckets are kept."""
        return max(1, self.keep_s // self.step_s)

    def start_of(self, at_s: float) -> int:
        """Give when the bucket of a moment begins, in seconds since the epoch."""
        return int(at_s) // self.step_s * self.step_s


TIERS = (
    Tier(step_s=1, keep_s=HOUR_S),
    Tier(step_s=10, keep_s=DAY_S),
    Tier(step_s=60, keep_s=30 * DAY_S),
)
"""A second for an hour, ten for a day, a minute for a month. A tier's number in the file is its place here."""
MOST_BYTES = 512 * 2**20
"""What the file may take unless told otherwise."""

"""Whether readings rise steadily: the question behind "full in 14 minutes", and when it must not be answered.

Blocks of readings are compared by their least and by their largest value: an allocator whose cache fills and is emptied
draws a saw, and only what both edges of it do is a trend.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import median
from typing import TYPE_CHECKING

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST_READINGS = 60
"""A minute at the usual interval: less is a batch that happens to be longer."""
MOST_AHEAD = 30
"""How many times the time that was watched a trend is drawn out: further on it is a guess."""
_BLOCKS = 5
_MOST_UNKNOWN = 0.1
"""Of the readings: with more gaps, what lies between is not known."""
_STARTED = 0.5
"""Readings below this share of the newest are of the start: loading, not a trend."""
_MOST_RESIDUAL = 0.2
"""Of the whole rise: how far an edge may lie from the line."""
_LEAST_AGREEMENT = 0.4
"""Between the slopes of the two edges: of a saw whose teeth grow only one rises."""
_LEAST_PACE = 0.4
"""Of the earlier half's pace, in the later half: below it, it is settling down."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Trend(Value):
    """A steady rise."""

    per_reading: float
    """In the unit of the readings; positive."""
    readings: int
    """Over how many it was seen."""

    @property
    def rise(self) -> float:
        """Give how much was gained meanwhile."""
        return self.per_reading * self.readings

    def readings_until(self, room: float) -> float | None:
        """Give after how many readings `room` is used up; None where that is too far ahead to be said."""
        ahead = max(0.0, room) / self.per_reading
        return ahead if ahead <= MOST_AHEAD * self.readings else None


def steady_rise(values: Sequence[float | None], *, least_rise: float) -> Trend | None:
    """Give the trend of readings, oldest first; None where they are few, noisy, level, settling or of the start.

    Args:
        values: one a step; None where nothing was known.
        least_rise: over the window, in the unit of the readings: less is not worth a word.
    """
    known = _after_start(values)
    if len(known) < LEAST_READINGS or max(known) - min(known) < least_rise / 2:
        return None  # the second is what most series are: level
    size = len(known) // _BLOCKS
    blocks = [known[at : at + size] for at in range(len(known) - size * _BLOCKS, len(known), size)]
    low, high = [min(block) for block in blocks], [max(block) for block in blocks]
    slopes = _slope(low), _slope(high)
    total = (slopes[0] + slopes[1]) / 2 * (_BLOCKS - 1)
    if min(slopes) <= 0 or min(slopes) < _LEAST_AGREEMENT * max(slopes) or total < least_rise:
        return None
    if median(top - bottom for top, bottom in zip(high, low, strict=True)) > total:
        return None  # the teeth are larger than what is gained over them
    if not (_is_steady(low, slopes[0], total) and _is_steady(high, slopes[1], total)):
        return None
    return Trend(per_reading=(slopes[0] + slopes[1]) / 2 / size, readings=size * _BLOCKS)


def _after_start(values: Sequence[float | None]) -> list[float]:
    known = [value for value in values if value is not None]
    if len(known) < LEAST_READINGS or len(values) - len(known) > _MOST_UNKNOWN * len(values):
        return []
    floor = _STARTED * median(known[-5:])
    if known[0] >= floor and min(known) >= floor:
        return known
    start = max((place for place, value in enumerate(known) if value < floor), default=-1)
    return known[start + 1 :]


def _slope(edge: Sequence[float]) -> float:
    """Give the median of the slopes between all pairs (Theil, 1950; Sen, 1968): one odd block does not move it."""
    return median(
        (later - earlier) / (j - i) for (i, earlier), (j, later) in combinations(enumerate(edge), 2)
    )


def _is_steady(edge: Sequence[float], slope: float, total: float) -> bool:
    base = median(value - slope * place for place, value in enumerate(edge))
    residuals = [abs(value - base - slope * place) for place, value in enumerate(edge)]
    steps = [after - before for before, after in pairwise(edge)]
    rising = sum(step > 0 for step in steps)
    half = len(steps) // 2
    return (
        max(residuals) <= _MOST_RESIDUAL * total
        and rising >= len(steps) - 1
        and sum(steps[-half:]) >= _LEAST_PACE * sum(steps[:half])
    )

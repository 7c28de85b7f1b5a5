"""How far something can be turned up before it no longer fits: exact, with few estimates."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.footprint.estimate import estimate

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.footprint.spec.values import Spec
    from dstop.model.footprint import Footprint

MOST_BATCH = 2**20
MOST_TOKENS = 2**24
"""Where nothing bounds a sequence: no model of today has that many positions."""


class Estimates:
    """The footprints of a spec at other batches and sequences; each is computed once."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._known: dict[tuple[int, int | None], Footprint] = {}

    def at(self, batch: int, sequence: int | None) -> Footprint:
        """Give the footprint for a batch and a sequence; everything else stays."""
        found = self._known.get((batch, sequence))
        if found is None:
            found = self._known[batch, sequence] = estimate(
                replace(self._spec, batch=batch, sequence=sequence)
            )
        return found


def largest(room: Callable[[int], int], start: int, most: int, *, least: int = 1) -> int:
    """Give the largest value that leaves room, up to `most`; 0 where not even `least` does.

    What a model takes is close to a straight line in its batch and its sequence, so each guess goes where the line
    through the last two points crosses nought (the secant method); every third guess halves what is left, so that a
    step (blocks of a cache, segments of the allocator) costs a few guesses and never the answer.

    Args:
        room: what is left at a value, in bytes; it never grows with the value. It fits while that is not negative.
        start: where to look first.
        most: no value beyond it is tried.
        least: the smallest value that means anything.
    """
    if least > most:
        return 0
    low, high = least - 1, most + 1  # low fits, or is nothing at all; high does not
    seen: list[tuple[int, int]] = []
    guess = max(least, min(start, most))
    while True:
        left = room(guess)
        seen.append((guess, left))
        if left >= 0:
            low = guess
        else:
            high = guess
        if high - low <= 1:
            return low if low >= least else 0
        bounded = high <= most
        halves = len(seen) % 3 == 0
        crossing = _crossing(seen[-2:])
        if halves or crossing is None:
            crossing = (low + high) // 2 if bounded else 2 * low
        guess = max(low + 1, min(high - 1, crossing))


def _crossing(points: list[tuple[int, int]]) -> int | None:
    """Give where the line through two points crosses nought; None where there is no such line."""
    if len(points) < 2 or points[0][1] == points[1][1]:  # noqa: PLR2004 - a line has two points
        return None
    (first, first_room), (second, second_room) = points
    return first + (second - first) * first_room // (first_room - second_room)

"""How far something can be turned up before it no longer fits: exact, with few estimates."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.footprint.estimate import estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dstop.footprint.spec.values import Spec
    from dstop.model.footprint import Footprint

MOST_BATCH = 2**20
MOST_TOKENS = 2**24
"""Where nothing bounds a sequence: no model of today has that many positions."""

GRAIN = 16
"""Tokens to which a longest sequence is found: the block in which vLLM gives its cache out."""


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

    def batches(self, sequence: int | None) -> tuple[int, ...]:
        """Give the batches that have been computed with this sequence."""
        return tuple(batch for batch, tokens in self._known if tokens == sequence)

    def sequences(self, batch: int) -> tuple[int, ...]:
        """Give the sequences that have been computed with this batch."""
        return tuple(tokens for each, tokens in self._known if each == batch and tokens is not None)


def largest(
    room: Callable[[int], int], start: int, most: int, *, least: int = 1, known: Iterable[int] = ()
) -> int:
    """Give the largest value that leaves room, up to `most`; 0 where not even `least` does.

    What a model takes is close to a straight line in its batch and its sequence, so each guess goes where the line
    through two points crosses nought (the secant method); every third guess halves what is left, so that a step
    (blocks of a cache, segments of the allocator) costs a few guesses and never the answer.

    Args:
        room: what is left at a value, in bytes; it never grows with the value. It fits while that is not negative.
        start: where to look first.
        most: no value beyond it is tried.
        least: the smallest value that means anything.
        known: values whose room costs nothing to ask, such as those that were looked at for another card.
    """
    if least > most:
        return 0
    points = sorted((value, room(value)) for value in known if least <= value <= most)
    fitting = [point for point in points if point[1] >= 0]
    beyond = [point for point in points if point[1] < 0]
    low = fitting[-1][0] if fitting else least - 1  # fits, or is nothing at all
    high = beyond[0][0] if beyond else most + 1  # does not fit
    near = [*fitting[-2 + bool(beyond) :], *beyond[: 2 - bool(fitting)]][:2]
    looks = 0
    while high - low > 1:
        guess = _guess(low, high, most, near, halve=looks > 3 and looks % 2 == 0) if near else start  # noqa: PLR2004
        guess = max(low + 1, min(high - 1, guess))
        left = room(guess)
        looks += 1
        near = [*near[-1:], (guess, left)]
        if left >= 0:
            low = guess
        else:
            high = guess
    return low if low >= least else 0


def longest(
    room: Callable[[int], int], start: int, most: int, *, least: int = 1, known: Iterable[int] = ()
) -> int:
    """Give the longest sequence that leaves room: all of `most`, or a multiple of `GRAIN` below; 0 where none does.

    Args:
        room: what is left at a number of tokens.
        start: where to look first.
        most: the longest that has a meaning.
        least: the shortest that has one.
        known: lengths whose room costs nothing to ask.
    """
    if least <= most and room(most) >= 0:
        return most
    grains = [tokens // GRAIN for tokens in known if tokens % GRAIN == 0]
    first, last = -(-least // GRAIN), most // GRAIN
    return GRAIN * largest(
        lambda many: room(GRAIN * many), max(1, start // GRAIN), last, least=first, known=grains
    )


def _guess(low: int, high: int, most: int, near: list[tuple[int, int]], *, halve: bool) -> int:
    """Give where to look next: where a line crosses, or the middle; twice as far where nothing bounds it yet."""
    crossing = None if halve else _crossing(near)
    if crossing is not None:
        return crossing
    return (low + high) // 2 if high <= most else 2 * low


def _crossing(points: list[tuple[int, int]]) -> int | None:
    """Give where the line through two points crosses nought; None where there is no such line."""
    if len(points) < 2 or points[0][1] == points[1][1]:  # noqa: PLR2004 - a line has two points
        return None
    (first, first_room), (second, second_room) = points
    return first + (second - first) * first_room // (first_room - second_room)

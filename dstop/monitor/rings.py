"""A short memory of readings, in as few bytes as Python allows."""

from __future__ import annotations

from array import array
from math import nan


class Ring:
    """The last `capacity` readings of `width` numbers, four bytes a number; None is kept as NaN.

    Seven digits are kept of a number: more than a graph shows. It grows as it fills: most processes are gone
    long before their memory is full.
    """

    __slots__ = ("_at", "_full", "_values", "_width")

    def __init__(self, capacity: int, width: int = 1) -> None:
        self._values = array("f")
        self._width = width
        self._full = capacity * width
        self._at = 0

    def push(self, *reading: float | None) -> None:
        """Add one reading, as many numbers as the ring is wide, forgetting the oldest when full."""
        numbers = array("f", [nan if number is None else number for number in reading])
        if len(self._values) < self._full:
            self._values.extend(numbers)
            return
        end = self._at + self._width
        self._values[self._at : end] = numbers
        self._at = end % self._full

    def values(self, column: int = 0) -> tuple[float | None, ...]:
        """Give what is remembered of one number of the readings, oldest first."""
        ordered = self._values[self._at :] + self._values[: self._at]
        return tuple(
            None if value != value else value  # noqa: PLR0124 - NaN alone differs from itself
            for value in ordered[column :: self._width]
        )

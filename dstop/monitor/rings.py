"""A short memory of numbers, in as few bytes as Python allows."""

from __future__ import annotations

from array import array


class Ring:
    """The last `capacity` numbers, eight bytes each; None is kept as NaN, which no reading can be.

    It grows as it fills: most processes are gone long before their memory is full.
    """

    __slots__ = ("_at", "_capacity", "_values")

    def __init__(self, capacity: int) -> None:
        self._values = array("d")
        self._capacity = capacity
        self._at = 0

    def push(self, value: float | None) -> None:
        """Add a number, forgetting the oldest when full."""
        number = float("nan") if value is None else float(value)
        if len(self._values) < self._capacity:
            self._values.append(number)
            return
        self._values[self._at] = number
        self._at = (self._at + 1) % self._capacity

    def values(self) -> tuple[float | None, ...]:
        """Give what is remembered, oldest first."""
        ordered = self._values[self._at :] + self._values[: self._at]
        return tuple(None if value != value else value for value in ordered)  # noqa: PLR0124 - NaN alone differs

    @property
    def empty(self) -> bool:
        """Whether nothing that is known is in it."""
        return all(value != value for value in self._values)  # noqa: PLR0124 - NaN alone differs

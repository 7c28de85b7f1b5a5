"""The figures of one GPU as they come in, each either a value or the reason there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dstop.sources.nvml.reasons import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NONE: Mapping[str, str] = {}


class Figures:
    """Field name -> value, and field name -> reason; a field is in exactly one of them once it was asked."""

    __slots__ = ("_frozen", "_reasons", "values")

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._reasons: dict[str, str] = {}
        self._frozen: Mapping[str, str] | None = _NONE

    def put(self, field: str, value: object) -> None:
        """Set a field to a value, or to nothing for the reason that an Unavailable carries."""
        if isinstance(value, Unavailable):
            self.miss(field, value.reason)
            return
        self.values[field] = value
        if field in self._reasons:
            del self._reasons[field]
            self._frozen = None

    def miss(self, field: str, reason: str) -> None:
        """Say that a field has no value, and why."""
        self.values[field] = None
        if self._reasons.get(field) != reason:
            self._reasons[field] = reason
            self._frozen = None

    def note(self, field: str, reason: str) -> None:
        """Give a reason beside a field whose value stays, or that the model gives a default of its own."""
        if self._reasons.get(field) != reason:
            self._reasons[field] = reason
            self._frozen = None

    def drop(self, fields: Iterable[str]) -> None:
        """Forget fields altogether."""
        for field in fields:
            self.values.pop(field, None)
            if self._reasons.pop(field, None) is not None:
                self._frozen = None

    def reasons(self) -> Mapping[str, str]:
        """Give the reasons as they are now: the same object for as long as none changes."""
        if self._frozen is None:
            self._frozen = dict(self._reasons)
        return self._frozen


def checked(value: Any, low: int, high: int, unit: str = "") -> Any:
    """Pass a number that can be true; else say what the driver said."""
    if isinstance(value, Unavailable) or (isinstance(value, int | float) and low <= value <= high):
        return value
    return Unavailable(f"the driver said {value}{unit}")


def percent(value: Any) -> Any:
    """Pass a percentage of 0 to 100 as a float."""
    sound = checked(value, 0, 100, " %")
    return sound if isinstance(sound, Unavailable) else float(sound)

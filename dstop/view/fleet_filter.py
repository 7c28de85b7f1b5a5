"""The filter of a fleet: words that a row must have, and bounds on its figures: `node-1 h100 mem>90 util<5`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.errors import UsageError
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS = ("mem", "util", "power", "temp", "xid")
"""Percent, percent, watts, degrees Celsius, the number of the last Xid."""
_BOUND = re.compile(rf"({'|'.join(FIELDS)})(<=|>=|<|>|=)([0-9]{{1,9}}(?:\.[0-9]{{1,9}})?)%?")
_MOST = 400


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class FleetFilter(Value):
    """All of it must be so."""

    text: str = ""
    words: tuple[tuple[str, bool], ...] = ()
    """In small letters, with whether a row must have it; one that is written `-word` it must not."""
    bounds: tuple[tuple[str, str, float], ...] = ()

    def takes(self, text: str, figures: Mapping[str, float | None]) -> bool:
        """Say whether a row is shown.

        Args:
            text: all of its names, in small letters.
            figures: by field; what is not known is within no bound.
        """
        return all((word in text) is wanted for word, wanted in self.words) and all(
            _within(figures.get(name), sign, bound) for name, sign, bound in self.bounds
        )


def parse(text: str) -> FleetFilter:
    """Read a filter.

    Raises:
        UsageError: a bound is on no field that there is.
    """
    words: list[tuple[str, bool]] = []
    bounds: list[tuple[str, str, float]] = []
    for term in text[:_MOST].lower().split():
        found = _BOUND.fullmatch(term)
        if found is not None:
            bounds.append((found[1], found[2], float(found[3])))
        elif re.search(r"[<>=]", term):
            raise UsageError(
                f"filter: {term[:40]!r} is no bound", fix=f"fields are {', '.join(FIELDS)}: mem>90"
            )
        elif term.lstrip("-"):
            words.append((term.lstrip("-"), not term.startswith("-")))
    return FleetFilter(text=text.strip(), words=tuple(words), bounds=tuple(bounds))


def _within(value: float | None, sign: str, bound: float) -> bool:
    if value is None:
        return False
    if sign == "=":
        return value == bound
    if sign.startswith("<"):
        return value < bound or (sign == "<=" and value == bound)
    return value > bound or (sign == ">=" and value == bound)

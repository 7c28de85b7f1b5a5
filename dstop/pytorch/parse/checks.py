"""One value of a reply: a count, a text, a list; None or empty where it is none."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from dstop.sources.procfs.reading import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMIT = 2**63
"""No counter of PyTorch's is above: it keeps them in 64 bits with a sign."""
MOST_INDEX = 2**31
LONGEST_TEXT = 200
_MOST_REASONS = 64
_DEEPEST = 12
_MOST_KEYS = 512
_LONGEST_VALUE = 2000


def count(value: object, limit: int = LIMIT) -> int | None:
    """Give a whole number from 0 up, below a limit; a truth value is none, though Python counts it as one."""
    return value if type(value) is int and 0 <= value < limit else None


def text(value: object, longest: int = LONGEST_TEXT) -> str | None:
    """Give a text that a terminal can be shown, cut to a length; None where there is nothing to read."""
    return clean(value[:longest]).strip() or None if isinstance(value, str) else None


def items(value: object, most: int) -> list[object]:
    """Give a list, no longer than it may be."""
    return value[:most] if isinstance(value, list) else []


def mapping(value: object) -> Mapping[str, object]:
    """Give an object of JSON, or an empty one."""
    return value if isinstance(value, dict) else {}


def reasons(value: object) -> dict[str, str]:
    """Give the reasons of a reply for what is not in it."""
    found: dict[str, str] = {}
    for name, why in list(mapping(value).items())[:_MOST_REASONS]:
        key, reason = text(name), text(why)
        if key and reason:
            found[key] = reason
    return found


def _harmless(value: object) -> bool:
    if isinstance(value, float):
        return isfinite(value)
    return isinstance(value, int) and -LIMIT < value < LIMIT


class Plain:
    """Makes any JSON harmless: texts that print, numbers in bounds, no deeper and no more than a budget.

    Args:
        budget: how many values there may be in all; what comes after them is left out.
    """

    def __init__(self, budget: int) -> None:
        self._left = budget

    def value(self, value: object, depth: int = 0) -> object:
        """Give the value; what is out of bounds becomes None."""
        self._left -= 1
        if self._left < 0 or depth > _DEEPEST:
            return None
        if isinstance(value, dict):
            return self.mapping(value, depth)
        if isinstance(value, list):
            return [self.value(part, depth + 1) for part in value[: max(0, self._left)]]
        if isinstance(value, str):
            return clean(value[:_LONGEST_VALUE])
        return value if _harmless(value) else None

    def mapping(self, value: Mapping[object, object], depth: int = 0) -> dict[str, object]:
        """Give an object, its names made harmless as well."""
        pairs = list(value.items())[: min(_MOST_KEYS, max(0, self._left))]
        return {name: self.value(part, depth + 1) for key, part in pairs if (name := text(key))}

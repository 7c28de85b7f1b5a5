"""Taking values out of JSON that somebody else wrote: each has its type and its bound, or is absent."""

from __future__ import annotations

import math
from typing import Any

from dstop.sources.procfs.reading import clean

LONGEST_TEXT = 4096
MOST_ITEMS = 4096
_LARGEST = 2**63
_DEEPEST = 8


def record(value: object) -> dict[str, Any]:
    """Give an object, without names that are too long; {} for anything else."""
    if not isinstance(value, dict):
        return {}
    pairs = list(value.items())[:MOST_ITEMS]
    return {clean(name): item for name, item in pairs if isinstance(name, str) and len(name) <= LONGEST_TEXT}


def items(value: object, most: int = MOST_ITEMS) -> list[Any]:
    """Give the first items of a list; [] for anything else."""
    return value[:most] if isinstance(value, list) else []


def text(value: object, longest: int = LONGEST_TEXT) -> str | None:
    """Give text that is harmless to a terminal, cut to its bound; None for anything else."""
    return clean(value[:longest]) if isinstance(value, str) else None


def count(value: object) -> int | None:
    """Give a whole number from 0 to 2**63 - 1; None for anything else, booleans and fractions too."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and isinstance(value, int) and 0 <= value < _LARGEST else None


def number(value: object) -> float | None:
    """Give a finite number of 0 or more; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) and found >= 0 else None


def flag(value: object) -> bool | None:
    """Give a boolean; None for anything else."""
    return value if isinstance(value, bool) else None


def texts(value: object, most: int = MOST_ITEMS, longest: int = LONGEST_TEXT) -> tuple[str, ...]:
    """Give the texts of a list."""
    found = (text(item, longest) for item in items(value, most))
    return tuple(item for item in found if item is not None)


def text_map(value: object) -> dict[str, str]:
    """Give the pairs of an object whose values are text."""
    found = {name: text(item) for name, item in record(value).items()}
    return {name: item for name, item in found.items() if item is not None}


def count_map(value: object) -> dict[str, int]:
    """Give the pairs of an object whose values are counts."""
    found = {name: count(item) for name, item in record(value).items()}
    return {name: item for name, item in found.items() if item is not None}


def counts_within(value: object, depth: int = _DEEPEST) -> dict[str, Any]:
    """Give an object of objects with counts at their ends, as the allocator's statistics are."""
    found: dict[str, Any] = {}
    for name, item in record(value).items():
        if isinstance(item, dict):
            if depth > 0:
                found[name] = counts_within(item, depth - 1)
        elif (whole := count(item)) is not None:
            found[name] = whole
    return found

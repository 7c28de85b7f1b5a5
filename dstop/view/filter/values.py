"""The right-hand side of a term: sizes, percentages, ages, numbers, lists and ranges."""

from __future__ import annotations

from dstop.units import parse_bytes
from dstop.view.filter.fields import Kind

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_LONGEST = 20
"""Characters of a number: no figure of a machine has more."""


def number_of(kind: Kind, text: str) -> float:
    """Read one number in the units of a field: bytes, seconds, percent or a count.

    Raises:
        ValueError: when the text is none, or one that no machine has.
    """
    if len(text) > _LONGEST:
        raise ValueError("too long for a number")
    if kind is Kind.BYTES:
        return parse_bytes(text)
    if kind is Kind.AGE:
        return _seconds(text)
    if kind is Kind.PERCENT:
        return _decimal(text.removesuffix("%"))
    if not (text.isascii() and text.isdigit()):
        raise ValueError("not a whole number")
    return int(text)


def ranges_of(kind: Kind, text: str) -> tuple[tuple[float, float], ...]:
    """Read `0,2`, `0-3` or `1G-20G,40G` as ranges with both ends.

    Raises:
        ValueError: when a part is no number, or a range runs backwards.
    """
    ranges = []
    for part in text.split(","):
        low, dash, high = part.partition("-")
        first = number_of(kind, low)
        last = number_of(kind, high) if dash else first
        if last < first:
            raise ValueError("a range that runs backwards")
        ranges.append((first, last))
    return tuple(ranges)


def _decimal(text: str) -> float:
    whole, _, fraction = text.partition(".")
    digits = whole + fraction
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError("not a number")
    return float(text)


def _seconds(text: str) -> float:
    """Read `90s`, `1.5h`, `1h30m` or a plain number of seconds."""
    if text and text[-1] not in _SECONDS:
        return _decimal(text)
    total, digits = 0.0, ""
    for character in text:
        if character in _SECONDS:
            total += _decimal(digits) * _SECONDS[character]
            digits = ""
        else:
            digits += character
    if not text or digits:
        raise ValueError("not an age")
    return total

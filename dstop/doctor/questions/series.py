"""Readings of used memory that a log repeats step by step, and whether they rise."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from dstop.model.value import Value
from dstop.units import GIB, MIB

_READING = re.compile(
    r"(?i)(?:(?<![a-z])(?:gpu[_ ]?)?mem(?:ory)?(?:[_ ](?:used|usage|allocated|reserved|cuda))?|\bMA|max[_ ]mem)"
    r"[\"']?\s{0,3}[:=]?\s{0,4}(?P<size>\d{1,7}(?:\.\d{1,4})?)\s?(?P<unit>GiB|GB|G|MiB|MB|M)?(?![\w/%.])"
)
_STEP = re.compile(r"(?i)\b(?:step|iter|epoch|batch|sample|request)|it/s|s/it|\d/\d")
"""What a line of a loop has; start-up reports memory, too, and rises."""
_LEAST_READINGS = 4
_LEAST_GROWTH = 0.15
_LEAST_BYTES = 256 * MIB


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Growth(Value):
    """Memory that rose over the readings of a log."""

    first_bytes: int
    last_bytes: int
    readings: int


def growth_in(text: str) -> Growth | None:
    """Give the growth of the readings, or None where they are few, fall, or stay.

    A reading without a unit is in MiB (as mmengine prints it). Warm-up makes the first step rise: it is left out.
    """
    readings = [
        _bytes(found["size"], found["unit"])
        for line in text.splitlines()
        if _STEP.search(line) is not None and (found := _READING.search(line)) is not None
    ][1:]
    if len(readings) < _LEAST_READINGS - 1:
        return None
    falls = sum(after < before for before, after in pairwise(readings))
    rises = sum(after > before for before, after in pairwise(readings))
    first, last = readings[0], readings[-1]
    if (
        falls > len(readings) // 20
        or rises < len(readings) // 2
        or last - first < max(_LEAST_BYTES, _LEAST_GROWTH * first)
    ):
        return None
    return Growth(first_bytes=first, last_bytes=last, readings=len(readings))


def _bytes(size: str, unit: str | None) -> int:
    return int(float(size) * (GIB if unit is not None and unit[0] in "gG" else MIB))

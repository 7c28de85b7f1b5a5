"""Sizes as programs print them, with what their rounding hides."""

from __future__ import annotations

import re

from dstop.units import GIB, KIB, MIB, TIB

SIZE = r"\d+(?:\.\d+)? ?(?:bytes|[KMGT]iB|[KMGT]B)"
"""A size as PyTorch and its kin print it: `20.00 MiB`, `512 bytes`; MPS prints `6.25 MB`."""

NONSENSE_BYTES = 2**54
"""From here on a figure is a counter that was never set: WDDM's 17179869184 GiB, 2**64 less something."""

_UNITS = {
    "b": 1,
    "bytes": 1,
    "byte": 1,
    "k": KIB,
    "kib": KIB,
    "kb": KIB,
    "m": MIB,
    "mib": MIB,
    "mb": MIB,
    "g": GIB,
    "gib": GIB,
    "gb": GIB,
    "t": TIB,
    "tib": TIB,
    "tb": TIB,
}
_PARTS = re.compile(r"\s*(\d[\d,]*(?:\.\d+)?)\s*([A-Za-z]*)")


def size_bytes(text: str) -> int | None:
    """Read a printed size; None when it is none, or nonsense.

    `MB` and `GB` are taken as binary, as the programs that print them compute them; where one means 10**6, the
    difference (5 to 7 %) is told apart by nothing in its text.
    """
    found = _PARTS.match(text)
    if found is None:
        return None
    unit = _UNITS.get(found[2].lower() or "bytes")
    if unit is None or len(found[1]) > 24:  # noqa: PLR2004 - longer than any size
        return None
    count = round(float(found[1].replace(",", "")) * unit)
    return count if count < NONSENSE_BYTES else None


def rounding_bytes(text: str) -> int:
    """Give by how much a printed size may be off: half a unit of its last digit."""
    found = _PARTS.match(text)
    unit = _UNITS.get(found[2].lower() or "bytes", 1) if found is not None else 1
    if found is None or unit == 1:
        return 0
    digits = len(found[1].partition(".")[2])
    return int(unit / 2 / 10**digits)

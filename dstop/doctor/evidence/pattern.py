"""Patterns of messages: a plain substring that must be there, then an expression that takes the figures out.

The expression is compiled when its substring is first seen: most logs have few of the hundreds of messages that are
known, and compiling all of them would take longer than reading the log.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dstop.doctor.evidence.sizes import NONSENSE_BYTES, size_bytes
from dstop.units import GIB, KIB, MIB

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dstop.doctor.evidence.facts import Figure

_SCALES = {"gib": GIB, "mib": MIB, "kib": KIB, "gb": 10**9, "mb": 10**6, "kb": 10**3, "bytes": 1}
MOST_MATCHES = 200
"""Of one pattern in one text: the two hundred and first says nothing new."""


class Pattern:
    """A message that a program prints.

    Args:
        kind: what it is called in a Sign.
        needle: text that every such message holds, exactly.
        expression: the regular expression; its groups become values by their name's ending: `x_gib`, `x_mib`, `x_kib`,
            `x_bytes` become `x_bytes`; `x_size` (`20.00 MiB`) becomes `x_bytes`; `x_count` an int; `x_ratio` a float;
            others stay text. It must be bounded: no nested repetition, no `.*` over lines.
    """

    __slots__ = ("_compiled", "_expression", "kind", "needle")

    def __init__(self, kind: str, needle: str, expression: str | None = None) -> None:
        self.kind = kind
        self.needle = needle
        self._expression = expression
        self._compiled: re.Pattern[str] | None = None

    def find(self, text: str) -> Iterator[tuple[int, str, Mapping[str, Figure]]]:
        """Give where it is found, the text of the match, and its values."""
        if self.needle not in text:
            return
        if self._compiled is None:
            self._compiled = re.compile(self._expression or re.escape(self.needle))
        for count, match in enumerate(self._compiled.finditer(text)):
            if count >= MOST_MATCHES:
                return
            yield match.start(), match[0], _values(match.groupdict())


def _values(groups: Mapping[str, str | None]) -> dict[str, Figure]:
    found: dict[str, Figure] = {}
    for name, text in groups.items():
        if text is None:
            continue
        stem, _, ending = name.rpartition("_")
        if ending == "size":
            _put(found, f"{stem}_bytes", size_bytes(text))
        elif ending in _SCALES:
            _put(found, f"{stem}_bytes", _scaled(text, _SCALES[ending]))
        elif ending == "count":
            _put(found, name, _whole(text))
        elif ending == "ratio":
            _put(found, name, _number(text))
        else:
            found[name] = text
    return found


def _put(found: dict[str, Figure], name: str, value: Figure | None) -> None:
    if value is not None:
        found[name] = value


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def _whole(text: str) -> int | None:
    digits = text.replace(",", "")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 20 else None  # noqa: PLR2004


def _scaled(text: str, scale: int) -> int | None:
    number = _number(text)
    if number is None or not 0 <= number * scale < NONSENSE_BYTES:
        return None
    return round(number * scale)

"""What a browser says, once it is checked: keys, a size, whether somebody looks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_BYTES = 64 * 1024
"""Of one message: more than anybody pastes into a filter."""
_MOST_PING = 64
LEAST_SIZE, MOST_SIZE = (20, 5), (1000, 400)
"""Cells across and down that are drawn for, whatever a browser claims to have."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Message(Value):
    """One message. `text` is what was typed, or what a ping wants back."""

    kind: str
    """`stdin`, `resize`, `ping`, `blur` or `focus`."""
    text: str = ""
    size: tuple[int, int] = (80, 24)


def parse_message(data: str) -> Message | None:
    """Read a message of textual-serve's page: `["stdin", "q"]`; None for anything else."""
    kind, rest = _parts(data)
    if kind in {"blur", "focus"}:
        return Message(kind=kind)
    if kind in {"stdin", "ping"} and isinstance(rest, str) and len(rest) <= _most(kind):
        return Message(kind=kind, text=rest)
    if kind == "resize" and isinstance(rest, dict):
        size = (_whole(rest, "width"), _whole(rest, "height"))
        return None if None in size else Message(kind="resize", size=bounded(*size))
    return None


def _parts(data: str) -> tuple[str, object]:
    """Give the kind of a message and what comes with it; no kind where it is no message."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return "", None
    if not isinstance(said, list) or not 1 <= len(said) <= 2 or not isinstance(said[0], str):  # noqa: PLR2004 - see above
        return "", None
    return said[0], said[1] if len(said) > 1 else None


def bounded(width: int | None, height: int | None) -> tuple[int, int]:
    """Give a size that can be drawn for; 80 by 24 where none is known."""
    wide, high = 80 if width is None else width, 24 if height is None else height
    return (
        max(LEAST_SIZE[0], min(MOST_SIZE[0], wide)),
        max(LEAST_SIZE[1], min(MOST_SIZE[1], high)),
    )


def number_of(text: str | None) -> int | None:
    """Read a number of an address; None for anything that is none."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 6):  # noqa: PLR2004 - a sane number
        return None
    return int(text)


def _most(kind: str) -> int:
    return MOST_BYTES if kind == "stdin" else _MOST_PING


def _whole(table: Mapping[str, Any], name: str) -> int | None:
    value = table.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None

"""A line of spans, and how text that comes from outside is made to fit a number of terminal cells."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Span: TypeAlias = tuple[str, str]
"""Text and the role that says what it is."""
Line: TypeAlias = tuple[Span, ...]

ELLIPSIS = "…"
_NARROW = re.compile(
    r"[ -~\u00a1-\u00ac\u00ae-\u02ff\u2010-\u2027\u2190-\u21ff\u2500-\u25fc\u2800-\u28ff]*", re.ASCII
).fullmatch
"""Latin, our dashes, arrows, boxes, blocks and braille: one cell each, so that their count is their width."""
_DELETE = 0x7F
_C1_END = 0xA0
_JOINERS = frozenset({0x200C, 0x200D, 0x20E3})
_VARIATIONS = (0xFE00, 0xFE0F)
_SKINS = (0x1F3FB, 0x1F3FF)
_FLAG_LETTERS = (0x1F1E6, 0x1F1FF)
_UNPRINTABLE = frozenset({"Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@lru_cache(maxsize=1024)
def _wide_cells(text: str) -> int:
    from rich.cells import cell_len  # noqa: PLC0415 - most lines are ASCII and never need the tables

    return cell_len(text)


def cells(text: str) -> int:
    """Count the terminal cells a text takes."""
    return len(text) if text.isascii() or _NARROW(text) else _wide_cells(text)


@lru_cache(maxsize=1024)
def clean(text: str) -> str:
    """Replace what would move the cursor, reorder, hide or join text: controls, bidi overrides, emoji joiners.

    A command line may hold anything its author likes; on our screen it is text, each character as wide as it is alone.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_cleaned, text))


def _cleaned(char: str) -> str:
    code = ord(char)
    if code < ord(" ") or _DELETE <= code < _C1_END:
        return " "
    if code in _JOINERS or _VARIATIONS[0] <= code <= _VARIATIONS[1] or _SKINS[0] <= code <= _SKINS[1]:
        return ""
    if _FLAG_LETTERS[0] <= code <= _FLAG_LETTERS[1]:
        return chr(ord("A") + code - _FLAG_LETTERS[0])
    return "�" if unicodedata.category(char) in _UNPRINTABLE else char


def crop(text: str, width: int) -> str:
    """Cut a text to at most `width` cells; a wide character that would stick out is left off."""
    if width <= 0:
        return ""
    if text.isascii() or _NARROW(text):
        return text[:width]
    if cells(text) <= width:
        return text
    taken = 0
    for position, char in enumerate(text):
        taken += cells(char)
        if taken > width:
            return text[:position]
    return text


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Make a text exactly `width` cells: padded, or cut with an ellipsis."""
    if width <= 0:
        return ""
    size = cells(text)
    if size > width:
        text = crop(text, width - 1) + ELLIPSIS
        size = cells(text)
    pad = " " * (width - size)
    return pad + text if right else text + pad


def line_cells(line: Iterable[Span]) -> int:
    """Count the cells of a line."""
    return sum(cells(text) for text, _ in line)


def fit_line(line: Line, width: int, role: str = "") -> Line:
    """Make a line exactly `width` cells wide; what is added has `role`."""
    size = line_cells(line)
    if size == width:
        return line
    if size < width:
        return (*line, (" " * (width - size), role))
    kept: list[Span] = []
    left = width
    for text, span_role in line:
        size = cells(text)
        if size <= left:
            kept.append((text, span_role))
            left -= size
            continue
        piece = crop(text, left)
        kept.append((piece + " " * (left - cells(piece)), span_role))
        break
    return tuple(span for span in kept if span[0])


def spread(left: Line, right: Line, width: int) -> Line:
    """Put one line at the left edge and one at the right; the right one gives way when both do not fit."""
    gap = width - line_cells(left) - line_cells(right)
    if gap < 1:
        return fit_line(left, width)
    return (*left, (" " * gap, ""), *right)


def plain(line: Line) -> str:
    """The text of a line without its roles."""
    return "".join(text for text, _ in line)


BLANK: Line = (("", ""),)

"""Bars and graphs of a picture as shapes: fonts disagree about braille and blocks, and some programs space them out.

Rich exports a terminal as text, a cell 12.2 units wide and 24.4 high. What a terminal draws itself (blocks, braille,
lines) becomes rectangles here; words stay words, that can be searched and copied.
"""

from __future__ import annotations

import html
import re
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDE, HIGH, BASELINE = 12.2, 24.4, 18.5
"""Rich's cell, and how far above the text's y its top is (rich/console.py, `export_svg`)."""
_TEXT = re.compile(
    r'<text class="([^"]+)" x="([\d.]+)" y="([\d.]+)" textLength="[\d.]+" clip-path="[^"]+">(.*?)</text>',
    re.DOTALL,
)
_LEFT = "▏▎▍▌▋▊▉█"
_LOW = "▁▂▃▄▅▆▇"
_SHADES = {"░": 0.4, "▒": 0.6, "▓": 0.8}
_QUARTERS = "▚"
_LINES = {"─": "lr", "│": "tb", "├": "tbr", "└": "tr"}
_BRAILLE = range(0x2801, 0x2900)
_DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""(column, row) of each bit of a braille character, the lowest bit first (The Unicode Standard, 22.9)."""
_DOT, _THIN = 3.4, 1.6
_BLANKS = "\xa0 \u2800"


def with_shapes(svg: str) -> str:
    """Give the same picture with shapes for the characters that are drawings."""
    used: set[str] = set()
    body = _TEXT.sub(lambda found: _redrawn(found, used), svg)
    symbols = "".join(f'<path id="d{ord(char):x}" d="{_dots(char)}"/>' for char in sorted(used))
    body = body.replace("</style>", "rect[class] { shape-rendering: crispEdges }</style>", 1)
    return body.replace("</defs>", f"{symbols}</defs>", 1)


def _redrawn(found: re.Match[str], used: set[str]) -> str:
    role, left, y = found[1], float(found[2]), float(found[3])
    out, place = [], 0
    for kind, group in groupby(html.unescape(found[4]), _kind):
        text = "".join(group)
        x = left + place * WIDE
        place += len(text)
        if kind == "word":
            out.append(_word(text, role, x, y))
        elif kind == "dots":
            used.update(text)
            out.append(f'<g class="{role}">{"".join(_uses(text, x, y - BASELINE))}</g>')
        else:
            out.append("".join(_rectangles(text, role, x, y - BASELINE)))
    return "".join(out)


def _kind(char: str) -> str:
    if ord(char) in _BRAILLE:
        return "dots"
    return (
        "shape"
        if char in _LEFT or char in _LOW or char in _SHADES or char in _LINES or char in _QUARTERS
        else "word"
    )


def _word(text: str, role: str, x: float, y: float) -> str:
    """Keep text as text; blanks at its ends are only room."""
    trimmed = text.strip(_BLANKS)
    if not trimmed:
        return ""
    x += WIDE * (len(text) - len(text.lstrip(_BLANKS)))
    shown = (
        html.escape(trimmed, quote=False)
        .replace(" ", "&#160;")
        .replace("\xa0", "&#160;")
        .replace("\u2800", "&#160;")
    )
    return (
        f'<text class="{role}" x="{_n(x)}" y="{_n(y)}" textLength="{_n(len(trimmed) * WIDE)}">{shown}</text>'
    )


def _uses(text: str, x: float, top: float) -> Iterator[str]:
    for place, char in enumerate(text):
        yield f'<use href="#d{ord(char):x}" x="{_n(x + place * WIDE)}" y="{_n(top)}"/>'


def _dots(char: str) -> str:
    """Give the dots of a braille character as one path."""
    bits = ord(char) - 0x2800
    return "".join(
        f"M{_n(WIDE * (0.25 + 0.5 * column) - _DOT / 2)} {_n(HIGH * (row + 0.5) / 4 - _DOT / 2)}h{_DOT}v{_DOT}h-{_DOT}z"
        for bit, (column, row) in enumerate(_DOTS)
        if bits >> bit & 1
    )


def _rectangles(text: str, role: str, x: float, top: float) -> Iterator[str]:
    """Give equal neighbours as one rectangle, where they touch."""
    for char, group in groupby(text):
        count = len(list(group))
        for part_x, part_y, wide, high, opacity in _parts(char, count):
            shade = "" if opacity == 1 else f' fill-opacity="{opacity}"'
            yield (
                f'<rect class="{role}" x="{_n(x + part_x)}" y="{_n(top + part_y)}" width="{_n(wide)}"'
                f' height="{_n(high)}"{shade}/>'
            )
        x += count * WIDE


def _parts(char: str, count: int) -> Iterator[tuple[float, float, float, float, float]]:
    """Give x, y, width, height and opacity of what one character, `count` times, is made of."""
    if char == "█" or char in _SHADES:
        yield 0, 0, count * WIDE, HIGH, _SHADES.get(char, 1)
    elif char in _LEFT or char in _LOW:
        wide = WIDE * (_LEFT.index(char) + 1) / 8 if char in _LEFT else WIDE
        high = HIGH if char in _LEFT else HIGH * (_LOW.index(char) + 1) / 8
        for place in range(count):
            yield place * WIDE, HIGH - high, wide, high, 1
    elif char in _QUARTERS:
        for place in range(count):
            yield place * WIDE, 0, WIDE / 2, HIGH / 2, 1
            yield (place + 0.5) * WIDE, HIGH / 2, WIDE / 2, HIGH / 2, 1
    elif char == "─":
        yield 0, (HIGH - _THIN) / 2, count * WIDE, _THIN, 1
    else:
        for place in range(count):
            x = place * WIDE + (WIDE - _THIN) / 2
            yield x, 0, _THIN, HIGH if "b" in _LINES[char] else HIGH / 2, 1
            if "r" in _LINES[char]:
                yield x, (HIGH - _THIN) / 2, (WIDE + _THIN) / 2, _THIN, 1


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")

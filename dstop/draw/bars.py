"""Bars and graphs as text."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line, Span

_BRAILLE = 0x2800
# Dots of the left and the right column of a braille cell, filled from the bottom up.
_LEFT = (0x00, 0x40, 0x44, 0x46, 0x47)
_RIGHT = (0x00, 0x80, 0xA0, 0xB0, 0xB8)


def meter(share: float | None, width: int, role: str) -> Line:
    """A bar that is `share` (0 to 1) full; dots where nothing is known.

    Its cells leave a hairline above them, so that the bars of lines above each other stay apart.
    """
    if share is None:
        return (("·" * width, "dim"),)
    filled = round(min(1.0, max(0.0, share)) * width)
    if not filled:
        return (("─" * width, "seg.free"),)
    rest = width - filled
    return (("▇" * filled, role), ("─" * rest, "seg.free")) if rest else (("▇" * filled, role),)


def stacked(parts: Sequence[tuple[float, str, str]], total: float, width: int) -> Line:
    """A bar of several parts.

    Each cell shows the part that covers its middle; a part too small for a cell of its own still gets one when the
    cell would else be the last part's (free), so that what exists is seen.

    Args:
        parts: (amount, character, role), left to right; the last one is what is left over.
        total: what the whole bar stands for, in the unit of the amounts.
        width: cells.
    """
    if total <= 0 or width <= 0:
        return (("·" * max(0, width), "dim"),)
    spans: list[Span] = []
    edge, drawn = 0.0, 0
    for amount, char, role in parts[:-1]:
        edge = min(total, edge + max(0.0, amount))
        reach = edge / total * width
        end = round(reach)
        if end == drawn and amount > 0 and drawn < width and reach > drawn:
            end = drawn + 1
        if end > drawn:
            spans.append((char * (end - drawn), role))
            drawn = end
    if drawn < width:
        spans.append((parts[-1][1] * (width - drawn), parts[-1][2]))
    return tuple(spans)


def graph_rows(
    values: Sequence[float | None], width: int, height: int, high: float, steps: int = 0
) -> list[str]:
    """The newest values as `height` rows of braille, two values a cell, four levels a row, newest at the right.

    A known value, however small, shows at least one dot: zero and unknown look different. Values are paired by their
    place in time, not in the window, and a pair is drawn when it is whole: the picture moves by a cell every second
    value, and the terminal has half as much to repaint.

    Args:
        values: oldest first.
        width: cells.
        height: rows.
        high: the value at the top edge.
        steps: how many values there have been in all; its parity says whether the newest waits for its pair.
    """
    end = len(values) - steps % 2
    return list(_graph(tuple(values[max(0, end - width * 2) : end]), width, height, high))


@lru_cache(maxsize=64)
def _graph(values: tuple[float | None, ...], width: int, height: int, high: float) -> tuple[str, ...]:
    """Draw whole pairs; kept, because every second picture is the one before."""
    top = height * 4
    scale = top / high if high > 0 else 0.0
    levels = [0 if value is None else min(top, max(1, int(value * scale + 0.5))) for value in values]
    levels = [0] * (width * 2 - len(levels)) + levels
    columns = [
        _cell_column(left, right, height) for left, right in zip(levels[::2], levels[1::2], strict=True)
    ]
    return tuple("".join(row) for row in zip(*columns, strict=True)) if columns else ("",) * height


@lru_cache(maxsize=8192)
def _cell_column(left: int, right: int, height: int) -> tuple[str, ...]:
    """One cell wide, `height` rows high, top row first."""
    return tuple(
        chr(_BRAILLE + _LEFT[min(4, max(0, left - base))] + _RIGHT[min(4, max(0, right - base))])
        for base in range((height - 1) * 4, -1, -4)
    )

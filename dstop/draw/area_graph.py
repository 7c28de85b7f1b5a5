"""Two curves in one graph: one filled, and what lies above it up to the other, lighter."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from dstop.draw.bars import graph_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line, Span

_FIRST = 0x2800
_SPARSE = 0x95
"""Every second dot of a braille cell (1, 3, 5 and 8): colour is never the only sign."""


def area_rows(
    below: Sequence[float | None],
    above: Sequence[float | None],
    width: int,
    height: int,
    high: float,
    *,
    roles: tuple[str, str] = ("graph.memory", "graph.above"),
    steps: int = 0,
) -> list[Line]:
    """Draw `below` filled and the rest of `above` sparse; each row is `width` cells.

    Args:
        below: the smaller curve, oldest first.
        above: the larger one, of the same moments.
        width: cells.
        height: rows.
        high: the value at the top edge.
        roles: of the filled and of the sparse part.
        steps: how many values there have been in all, as `graph_rows` takes it.
    """
    full = graph_rows(below, width, height, high, steps)
    light = graph_rows(above, width, height, high, steps)
    return [_row(dots, more, roles) for dots, more in zip(full, light, strict=True)]


@lru_cache(maxsize=64)
def _row(dots: str, more: str, roles: tuple[str, str]) -> Line:
    """Give each cell to the filled curve where it has a dot there, else to the other."""
    spans: list[Span] = []
    for own, other in zip(dots, more, strict=True):
        filled = own != chr(_FIRST)
        char, role = (own, roles[0]) if filled else (_sparse(other), roles[1])
        if spans and spans[-1][1] == role:
            spans[-1] = (spans[-1][0] + char, role)
        else:
            spans.append((char, role))
    return tuple(spans)


def _sparse(char: str) -> str:
    """Thin a cell out; one whose few dots would all go keeps them."""
    dots = ord(char) - _FIRST
    return chr(_FIRST + (dots & _SPARSE or dots))

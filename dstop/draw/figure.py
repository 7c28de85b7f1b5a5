"""A figure that a process tells of itself: its name without the unit, and its value with it."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from dstop.units import bytes_text

if TYPE_CHECKING:
    from dstop.model.process import ProcessFigure

_UNITS = ("_pct", "_bytes", "_per_min", "_per_s", "_total")


def figure_name(name: str) -> str:
    """Give the name in words: `kv_cache_pct` is `kv cache`."""
    for unit in _UNITS:
        name = name.removesuffix(unit)
    return name.replace("_", " ")


def figure_text(figure: ProcessFigure) -> str:
    """Give the value with the unit that its name ends in; a count has none."""
    value = figure.value
    if value is None or not isfinite(value):
        return "–"
    if figure.name.endswith("_pct"):
        return f"{value:.1f}%"
    if figure.name.endswith("_bytes"):
        return bytes_text(int(value)) if value >= 0 else f"{value:g} bytes"
    number = f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"
    for unit, words in (("_per_s", "/s"), ("_per_min", "/min")):
        if figure.name.endswith(unit):
            return number + words
    return number

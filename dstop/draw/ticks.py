"""Where the labels of an axis stand, and how times of a recording are written."""

from __future__ import annotations

from math import ceil, log10

from dstop.units import KIB, duration_text

_ROWS_A_TICK = 2
_CELLS_A_TICK = 16
_LEAST_LABELS = 3
_MOST_LABELS = 10
_MS_US, _S_US, _MINUTE_US = 1_000, 1_000_000, 60_000_000
_MOST_DIGITS = 6


def top_and_step(high: int, rows: int) -> tuple[int, int]:
    """Choose the value at the top edge of an axis, and the step of its labels: a power of two in bytes.

    Args:
        high: the largest value, which the axis must hold.
        rows: of the graph; about every second may have a label.
    """
    labels = min(_MOST_LABELS, max(_LEAST_LABELS, rows // _ROWS_A_TICK + 1))
    step = KIB
    while step * labels < high:
        step *= 2
    return max(1, ceil(high / step)) * step, step


def tick_columns(cells: int) -> range:
    """Give the cells of an axis at which a label begins."""
    return range(0, cells, _CELLS_A_TICK if cells > 2 * _CELLS_A_TICK else max(1, cells // 2))


def span_text(microseconds: int, apart_us: int = 10_000) -> str:
    """Write a time since the beginning: `840µs`, `3.21ms`, `45ms`, `2.31s`, `3:07`.

    Args:
        microseconds: since the beginning.
        apart_us: how far the next such text is; there are enough digits to tell the two apart.
    """
    if microseconds < _MS_US:
        return f"{microseconds}µs"
    unit, name = (_MS_US, "ms") if microseconds < _S_US else (_S_US, "s")
    if microseconds >= _MINUTE_US and apart_us >= _S_US:
        return duration_text(microseconds // _S_US)
    digits = ceil(-log10(max(1, apart_us) / unit)) if apart_us < unit else 0
    return f"{microseconds / unit:.{max(0, min(_MOST_DIGITS, digits))}f}{name}"

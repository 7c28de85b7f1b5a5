"""Would it have fitted? What the replay says of another setting or batch, with its error and what it assumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.bars import stacked
from dstop.draw.detail import wrapped
from dstop.draw.line import clean, fit, fit_line
from dstop.units import bytes_text

if TYPE_CHECKING:
    from dstop.draw.line import Line
    from dstop.model.study import Verdict

_WORD, _LEAST_BAR = 14, 16


def verdict_lines(verdict: Verdict, width: int) -> list[Line]:
    """Draw one verdict: yes or no and by how much, the peak against the capacity, what to paste, what it assumes."""
    word, role = _word(verdict)
    head: Line = ((fit(f" {word}", _WORD), role), (f" {clean(verdict.what)}", "title"))
    lines = [fit_line(head, width)]
    numbers = (
        f"peak {bytes_text(verdict.peak_reserved_bytes)} reserved, {bytes_text(verdict.peak_live_bytes)} live"
    )
    if verdict.capacity_bytes is not None:
        numbers += f", of {bytes_text(verdict.capacity_bytes)}"
    lines.append(
        fit_line(
            ((" " * _WORD + f" {numbers}", ""), (f"  ± {bytes_text(verdict.error_bytes)}", "dim")), width
        )
    )
    bar_width = width - _WORD - 2
    if verdict.capacity_bytes and bar_width >= _LEAST_BAR:
        lines.append(
            fit_line((((" " * (_WORD + 1)), ""), *_bar(verdict, verdict.capacity_bytes, bar_width)), width)
        )
    inner = width - _WORD
    texts = [(f"until {verdict.until}", "label")] if verdict.until else []
    texts += [(text, "dim") for text in verdict.assumptions]
    if verdict.setting:
        texts.insert(0, (verdict.setting, "mine"))
    for text, look in texts:
        lines += [fit_line(((" " * _WORD, ""), *line), width) for line in wrapped(text, inner, look)]
    return lines


def _word(verdict: Verdict) -> tuple[str, str]:
    if verdict.fits is None:
        return "?", "note"
    return ("fits", "ok") if verdict.fits else ("does not fit", "bad")


def _bar(verdict: Verdict, capacity: int, width: int) -> Line:
    live = min(verdict.peak_live_bytes, verdict.peak_reserved_bytes)
    parts = [
        (live, "█", "seg.a"),
        (verdict.peak_reserved_bytes - live, "▄", "seg.cached"),
        (verdict.short_bytes, "▒", "graph.oom"),
        (0, "─", "seg.free"),
    ]
    return stacked(parts, max(capacity, verdict.peak_reserved_bytes + verdict.short_bytes), width)

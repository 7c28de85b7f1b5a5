"""Would it have fitted? What the replay says of another setting or batch, with its error and what it assumes."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from dstop.draw.bars import stacked
from dstop.draw.detail import wrapped
from dstop.draw.line import clean, fit, fit_line
from dstop.units import bytes_text

if TYPE_CHECKING:
    from dstop.draw.line import Line
    from dstop.model.study import Fidelity, Verdict

_WORD, _LEAST_BAR = 14, 16
_UNCHECKED = "no segment was taken or given back while it was recorded"


def fidelity_lines(fidelity: Fidelity, width: int) -> list[Line]:
    """Say how well the replay of the recorded requests gives the recorded segments."""
    if fidelity.why_not:
        return wrapped(f"nothing can be replayed: {fidelity.why_not}", width, "note")
    if not fidelity.segment_events:
        return wrapped(f"the allocator replayed, and not checked: {_UNCHECKED}", width, "note")
    near = "exactly" if not fidelity.worst_error else f"within {_percent(fidelity.worst_error)}"
    text = f"the allocator replayed: {fidelity.requests:,} requests give the reserved bytes of"
    text += f" {fidelity.segment_events:,} recorded segment events {near}"
    return wrapped(text, width, "label")


def _percent(share: float) -> str:
    """Write a share upwards: an error is never made smaller."""
    return f"{ceil(1000 * share) / 10:g}%"


def verdict_lines(verdict: Verdict, width: int) -> list[Line]:
    """Draw one verdict: yes or no and by how much, the peak against the capacity, what to paste, what it assumes."""
    word, role = _word(verdict)
    lines = [fit_line(((fit(f" {word}", _WORD), role), (f" {clean(verdict.what)}", "title")), width)]
    indent = (" " * (_WORD + 1), "")
    lines.append(fit_line((indent, *_numbers(verdict)), width))
    bar_width = width - _WORD - 2
    if verdict.capacity_bytes and bar_width >= _LEAST_BAR:
        lines.append(fit_line((indent, *_bar(verdict, verdict.capacity_bytes, bar_width)), width))
    texts = [(verdict.setting, "mine")] if verdict.setting else []
    texts += [(f"until {verdict.until}", "label")] if verdict.until else []
    texts += [(text, "dim") for text in (*_unchecked(verdict), *_cached(verdict), *verdict.assumptions)]
    for text, look in texts:
        under = wrapped(text, width - _WORD, look)
        lines += [fit_line(((" " * _WORD, ""), *line), width) for line in under]
    return lines


def _numbers(verdict: Verdict) -> Line:
    live, reserved = bytes_text(verdict.peak_live_bytes), bytes_text(verdict.peak_reserved_bytes)
    off = "?" if verdict.error_bytes is None else bytes_text(verdict.error_bytes)
    error = (f"  ± {off}", "dim")
    if verdict.capacity_bytes is None:
        return ((f"peak {reserved} reserved, {live} live; the capacity is not known", ""), error)
    text = f"peak {reserved} of {bytes_text(verdict.capacity_bytes)} reserved, {live} live"
    if verdict.short_bytes:
        return ((text, ""), (f", {bytes_text(verdict.short_bytes)} short", "bad"), error)
    if verdict.headroom_bytes is not None and verdict.headroom_bytes >= 0:
        return ((text, ""), (f", {bytes_text(verdict.headroom_bytes)} to spare", "ok"), error)
    return ((text, ""), error)


def _cached(verdict: Verdict) -> tuple[str, ...]:
    """Say why more is to spare than lies between the peak and the capacity."""
    if not verdict.fits or verdict.capacity_bytes is None or verdict.headroom_bytes is None:
        return ()
    if verdict.headroom_bytes <= verdict.capacity_bytes - verdict.peak_reserved_bytes:
        return ()
    return ("to spare with what is cached, which is given back before a request fails",)


def _unchecked(verdict: Verdict) -> tuple[str, ...]:
    if verdict.error_bytes is not None:
        return ()
    return (f"the replay is not checked: {_UNCHECKED}",)


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

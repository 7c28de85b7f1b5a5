"""The parts of a footprint as one bar and as a table: every part has a character of its own beside its colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.bars import stacked
from dstop.draw.line import fit, fit_line, line_cells
from dstop.model.footprint import PARTS
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.draw.line import Line, Span
    from dstop.model.footprint import Parts

LOOKS: Mapping[str, tuple[str, str]] = {
    "weights": ("█", "cat.parameters"),
    "gradients": ("▓", "cat.gradients"),
    "optimizer": ("▒", "cat.optimizer_state"),
    "activations": ("⣷", "cat.activations"),
    "logits": ("▚", "cat.logits"),
    "kv_cache": ("┼", "cat.compiled"),
    "workspace": ("░", "cat.temporaries"),
    "reserved_unallocated": ("▄", "seg.cached"),
    "context": ("\u2573", "seg.not_torch"),
}
"""Character and role of each part; what tensors are for looks as on the screen of a snapshot."""
TITLES: Mapping[str, str] = {
    **{part: part for part in PARTS},
    "kv_cache": "KV cache",
    "reserved_unallocated": "fragmentation",
    "context": "CUDA context",
}
_NAME, _AMOUNT, _PERCENT, _LEAST_BAR = 15, 7, 5, 8


def parts_bar(parts: Parts, width: int, whole_bytes: int | None = None) -> Line:
    """Draw the parts side by side.

    Args:
        parts: what is drawn, in the order of `PARTS`.
        width: cells.
        whole_bytes: what the whole bar stands for, such as the memory of a card; the parts' own sum without it.
    """
    total = parts.total_bytes
    shown = [(amount, *LOOKS[part]) for part, amount in parts.by_part().items()]
    return stacked([*shown, (0, "─", "seg.free")], max(1, total, whole_bytes or 0), width)


def band_line(
    band: tuple[int, int, int], whole_bytes: int, width: int, limit_bytes: int | None = None
) -> Line:
    """Draw under a bar where its total may lie: `├───┼───┤` from low to high, with the expected value marked.

    Args:
        band: low, expected and high, in bytes.
        whole_bytes: what the whole width stands for; what is beyond it is cut with an arrow.
        width: cells.
        limit_bytes: where a card ends, marked where it is left of the bar's own end.
    """
    if whole_bytes <= 0 or width <= 0:
        return ()
    _, expected, high = band
    left, middle, right = (min(width, round(value / whole_bytes * width)) for value in band)
    cells = [" "] * width
    for place in range(max(0, left - 1), max(0, right)):
        cells[place] = "─"
    if left:
        cells[left - 1] = "├"
    if right:
        cells[right - 1] = "┤" if high <= whole_bytes else "→"
    if middle and expected <= whole_bytes:
        cells[middle - 1] = "┼"
    line = "".join(cells)
    if limit_bytes is None or limit_bytes >= whole_bytes:
        return ((line, "label"),)
    edge = max(0, round(limit_bytes / whole_bytes * width) - 1)
    return ((line[:edge], "label"), ("▲", "bad"), (line[edge + 1 :], "label"))


def parts_table(parts: Parts, width: int, notes: Mapping[str, str] | None = None) -> list[Line]:
    """Draw a part a line: its bytes, its share, a bar, and a few words on how it comes about; empty parts are left out.

    Args:
        parts: the bytes.
        width: cells; the words give way first, then the bar.
        notes: words by part.
    """
    words = notes or {}
    room = max((len(words.get(part, "")) for part, amount in parts.by_part().items() if amount), default=0)
    return [
        _row(part, amount, parts.total_bytes, width, (words.get(part, ""), room))
        for part, amount in parts.by_part().items()
        if amount
    ]


def _row(part: str, amount: int, total: int, width: int, note: tuple[str, int]) -> Line:
    char, role = LOOKS[part]
    spans: list[Span] = [
        (f" {char} ", role),
        (fit(TITLES[part], _NAME), ""),
        (fit(bytes_text(amount), _AMOUNT, right=True), "title"),
        (fit(f"{100 * amount / total:.0f}%", _PERCENT, right=True), "label"),
    ]
    left = width - line_cells(spans)
    words, room = note
    tail: list[Span] = []
    if room and left - room - 2 >= _LEAST_BAR:
        tail = [("  ", ""), (fit(words, room), "dim")]
        left -= room + 2
    if left - 2 >= _LEAST_BAR:
        spans += [("  ", ""), *stacked(((amount, char, role), (0, "─", "seg.free")), total, left - 2)]
    return fit_line((*spans, *tail), width)


def parts_legend(names: Sequence[str], width: int) -> Line:
    """Draw what the characters mean, as many as fit."""
    spans: list[Span] = []
    for part in names:
        char, role = LOOKS[part]
        item: list[Span] = [(f" {char}", role), (f" {TITLES[part]} ", "label")]
        if line_cells([*spans, *item]) > width:
            break
        spans += item
    return fit_line(tuple(spans), width)

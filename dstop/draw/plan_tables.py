"""The tables of a plan: its pipeline stages, and the cards that it was held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.line import clean, fit, fit_line, line_cells
from dstop.draw.parts_bar import parts_bar
from dstop.draw.plan_gauge import VERDICT_ROLES, count_text
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dstop.draw.line import Line, Span
    from dstop.model.footprint import Fit, Footprint, RankFootprint

_LEAST_BAR = 8
_MOST_STAGES = 24
_GPU, _VERDICT, _BYTES, _COUNT, _PRICE = 17, 13, 9, 10, 11


def stage_lines(footprint: Footprint, width: int) -> list[Line]:
    """Draw a stage a line: its GPUs, layers, parameters, total and band; a long pipeline loses its middle."""
    head = f" {'stage':<6}{'GPUs':>6}{'layers':>8}{'params':>8}{'total':>8}{'band':>15}"
    whole = max(rank.parts.total_bytes for rank in footprint.ranks)
    lines: list[Line] = [fit_line(((head, "dim"),), width)]
    ranks = footprint.ranks
    if len(ranks) <= _MOST_STAGES:
        return [*lines, *(_stage(rank, whole, width) for rank in ranks)]
    half = _MOST_STAGES // 2
    left_out = len(ranks) - 2 * half
    return [
        *lines,
        *(_stage(rank, whole, width) for rank in ranks[:half]),
        fit_line(((f"  … {left_out} more", "dim"),), width),
        *(_stage(rank, whole, width) for rank in ranks[-half:]),
    ]


def _stage(rank: RankFootprint, whole: int, width: int) -> Line:
    band = f"{bytes_text(rank.low_bytes)} to {bytes_text(rank.high_bytes)}"
    spans: list[Span] = [
        (f" {rank.stage:<6}{rank.gpus:>6,}{rank.layers:>8}{count_text(rank.parameters):>8}", ""),
        (f"{bytes_text(rank.parts.total_bytes):>8}", "title"),
        (f"{band:>15}", "label"),
    ]
    left = width - line_cells(spans) - 3
    if left >= _LEAST_BAR:
        spans += [("  ", ""), *parts_bar(rank.parts, left, whole)]
    return fit_line(tuple(spans), width)


def card_lines(fits: Sequence[Fit], width: int) -> list[Line]:
    """Draw a card a line: what it has, the verdict, what is left, how far it goes, and what all of them cost."""
    priced = any(fit.price_per_hour is not None for fit in fits)
    columns: list[tuple[str, int, Callable[[Fit], str]]] = [
        ("usable", _BYTES, lambda each: bytes_text(each.usable_bytes)),
        ("headroom", _BYTES, lambda each: bytes_text(each.headroom_bytes)),
        ("batch ≤", _COUNT, lambda each: _count(each.max_batch)),
        ("tokens ≤", _COUNT, lambda each: _count(each.max_tokens)),
    ]
    if priced:
        columns.append(("$/h", _PRICE, lambda each: _price(each.price_per_hour)))
    room = width - 2 - _GPU - _VERDICT
    kept = []
    for column in columns:
        if column[1] <= room:
            kept.append(column)
            room -= column[1]
    head = f"  {fit('card', _GPU)}{fit('', _VERDICT)}"
    head += "".join(fit(name, size, right=True) for name, size, _ in kept)
    lines = [fit_line(((head, "dim"),), width)]
    for each in fits:
        name = clean(each.gpu) if each.count == 1 else f"{each.count:,} × {clean(each.gpu)}"
        values = "".join(fit(value(each), size, right=True) for _, size, value in kept)
        row: Line = (
            (f"  {fit(name, _GPU)}", ""),
            (fit(each.verdict, _VERDICT), VERDICT_ROLES[each.verdict]),
            (values, "label"),
        )
        lines.append(fit_line(row, width))
    return lines


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}" if value else "none"


def _price(value: float | None) -> str:
    return "–" if value is None else f"{value:,.2f}"

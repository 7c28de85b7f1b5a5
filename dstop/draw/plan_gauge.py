"""What a plan comes to, beside its knobs: the total with its band, the parts, the stages, and which cards would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.line import BLANK, clean, fit, fit_line, line_cells, spread
from dstop.draw.parts_bar import band_line, parts_bar, parts_table
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line, Span
    from dstop.model.footprint import Fit, Footprint, RankFootprint

VERDICT_ROLES = {"fits": "ok", "tight": "warn", "does not fit": "bad"}
_GPU, _VERDICT, _BYTES, _COUNT = 15, 13, 7, 9
_STAGE = 11
_FREE_ROWS = 3


def plan_title(footprint: Footprint) -> str:
    """Name what is planned: the model with its size, the phase, and on how many GPUs."""
    size = count_text(footprint.total_parameters)
    if footprint.active_parameters != footprint.total_parameters:
        size += f" ({count_text(footprint.active_parameters)} active)"
    cards = f"{footprint.gpus} GPU{'s' if footprint.gpus != 1 else ''}"
    return f"{clean(footprint.model)}  {size}  {footprint.phase} on {cards}"


def count_text(count: float) -> str:
    """Give a count of parameters: `671B`, `15.7B`, `494M`."""
    for unit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if count >= unit:
            amount = count / unit
            return f"{amount:.3g}{letter}" if amount < 100 else f"{amount:.0f}{letter}"  # noqa: PLR2004 - three digits
    return f"{count:.0f}"


def gauge_lines(
    footprint: Footprint, fits: Sequence[Fit], card: Fit | None, width: int, height: int
) -> list[Line]:
    """Draw the answer in the lines there are; the cards give way first, then the stages.

    Args:
        footprint: what is drawn.
        fits: of all the cards that are judged.
        card: the one that the bar is measured against.
        width: cells.
        height: lines.
    """
    rank = footprint.per_gpu
    whole = card.usable_bytes if card is not None else rank.high_bytes
    limit, whole = whole, max(whole, rank.parts.total_bytes)
    lines = [_total_line(footprint, rank, width)]
    bar = width - 2
    band = (rank.low_bytes, rank.parts.total_bytes, rank.high_bytes)
    lines += [
        ((" ", ""), *parts_bar(rank.parts, bar, whole), (" ", "")),
        ((" ", ""), *band_line(band, whole, bar, limit), (" ", "")),
    ]
    if card is not None:
        lines.append(_card_line(card, width))
    lines += [BLANK, *parts_table(rank.parts, width)]
    blocks = [_stages(footprint, width), _cards(fits, width)]
    for block in blocks:
        room = height - len(lines) - 1
        if block and room >= min(_FREE_ROWS, len(block)):
            lines += [BLANK, *block[:room]]
    return [fit_line(line, width) for line in lines[:height]]


def _total_line(footprint: Footprint, rank: RankFootprint, width: int) -> Line:
    where = ""
    if len(footprint.ranks) > 1:
        where = f" of stage {rank.stage}"
    left: Line = (
        (f" each GPU{where}  ", "label"),
        (bytes_text(rank.parts.total_bytes), "title"),
        (f"  {bytes_text(rank.low_bytes)} to {bytes_text(rank.high_bytes)}", "label"),
    )
    return spread(left, ((f"{rank.peak_at} ", "dim"),) if rank.peak_at else (), width)


def _card_line(card: Fit, width: int) -> Line:
    spare = card.headroom_bytes
    far = f"{bytes_text(spare)} to spare" if spare >= 0 else f"{bytes_text(-spare)} short"
    left: Line = (
        (f" {clean(card.gpu)} ", "title"),
        (f"{bytes_text(card.usable_bytes)}  ", "label"),
        (card.verdict, VERDICT_ROLES[card.verdict]),
        (f"  {far}", "label"),
    )
    return spread(left, ((f"{reach_text(card)} ", "label"),) if reach_text(card) else (), width)


def reach_text(card: Fit) -> str:
    """Say how far a card would go: `batch ≤ 12  ≤ 49,152 tokens`."""
    parts = []
    if card.max_batch is not None:
        parts.append(f"batch ≤ {card.max_batch:,}")
    if card.max_tokens is not None:
        parts.append(f"≤ {card.max_tokens:,} tokens")
    return "  ".join(parts)


def _stages(footprint: Footprint, width: int) -> list[Line]:
    if len(footprint.ranks) < 2:  # noqa: PLR2004 - without a pipeline all ranks are alike
        return []
    whole = max(rank.parts.total_bytes for rank in footprint.ranks)
    return [_stage(rank, whole, width) for rank in footprint.ranks]


def _stage(rank: RankFootprint, whole: int, width: int) -> Line:
    spans: list[Span] = [
        (f" {fit(f'stage {rank.stage}', _STAGE)}", "label"),
        (fit(bytes_text(rank.parts.total_bytes), _BYTES, right=True), "title"),
        ("  ", ""),
    ]
    return (*spans, *parts_bar(rank.parts, max(0, width - line_cells(spans) - 1), whole), (" ", ""))


def _cards(fits: Sequence[Fit], width: int) -> list[Line]:
    return [_card_row(card, width) for card in fits]


def _card_row(card: Fit, width: int) -> Line:
    spans: list[Span] = [
        (f" {fit(clean(card.gpu), _GPU)}", ""),
        (fit(card.verdict, _VERDICT), VERDICT_ROLES[card.verdict]),
        (fit(bytes_text(card.headroom_bytes), _BYTES, right=True), "title"),
    ]
    batch = "–" if card.max_batch is None else f"{card.max_batch:,}"
    tokens = "–" if card.max_tokens is None else f"{card.max_tokens:,}"
    for name, text in (("batch", batch), ("tokens", tokens)):
        if line_cells(spans) + len(name) + 2 + _COUNT <= width:
            spans += [(f"  {name}", "dim"), (fit(text, _COUNT, right=True), "label")]
    if card.price_per_hour is not None and line_cells(spans) + 12 <= width:
        spans.append((f"  ${card.price_per_hour:,.2f}/h", "label"))
    return tuple(spans)

"""A plan as text: what each GPU should hold, part by part and rank by rank, and which cards would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.draw.detail import heading
from dstop.draw.line import BLANK, clean, fit_line, spread
from dstop.draw.parts_bar import band_line, parts_bar, parts_table
from dstop.draw.plan_gauge import plan_title
from dstop.draw.plan_tables import card_lines, stage_lines
from dstop.draw.plan_words import layout_text, load_text, part_notes, settings_text
from dstop.draw.snapshot_facts import sentence_lines
from dstop.model.value import Value
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line
    from dstop.footprint.spec.values import Spec
    from dstop.model.footprint import Assumption, Fit, Footprint

LEAST, WIDEST = 60, 200
_FEW_ASSUMPTIONS = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Told(Value):
    """One plan with what was found out about it."""

    spec: Spec
    """Settled."""
    footprint: Footprint
    fits: Sequence[Fit]
    every: bool = False
    """All assumptions."""
    further: Sequence[tuple[str, Sequence[Line]]] = ()
    """Titles and lines of what was asked for beside it: a search, a cost, a tier."""


def plan_lines(told: Told, width: int) -> list[Line]:
    """Draw a plan.

    Args:
        told: the plan.
        width: cells; below 60 it is drawn as for 60, more than 200 are left empty.
    """
    width = max(LEAST, min(width, WIDEST))
    spec, footprint = told.spec, told.footprint
    title: Line = ((f" {plan_title(footprint)}", "head"),)
    lines = [
        spread(title, ((f"{load_text(spec)} ", "head"),), width),
        *sentence_lines(f"{layout_text(spec.parallel)} · {settings_text(spec)}", width, "label"),
        BLANK,
        *rank_lines(told, width),
    ]
    if len(footprint.ranks) > 1:
        lines += [BLANK, heading("each pipeline stage", width), *stage_lines(footprint, width)]
    if told.fits:
        lines += [BLANK, heading("which cards hold it", width), *card_lines(told.fits, width)]
    for name, more in told.further:
        lines += [BLANK, heading(name, width), *more]
    lines += [BLANK, *assumption_lines(footprint.assumptions, width, every=told.every)]
    return [fit_line(line, width) for line in lines]


def rank_lines(told: Told, width: int) -> list[Line]:
    """Draw the GPU that is asked about: its total with the band, the bar, and a part a line."""
    footprint, rank = told.footprint, told.footprint.per_gpu
    where = f" of stage {rank.stage}" if len(footprint.ranks) > 1 else ""
    left: Line = (
        (f" each GPU{where}  ", "label"),
        (bytes_text(rank.parts.total_bytes), "title"),
        (f"  {bytes_text(rank.low_bytes)} to {bytes_text(rank.high_bytes)}", "label"),
    )
    right: Line = ((f"peak: {rank.peak_at} ", "dim"),) if rank.peak_at else ()
    whole = max(rank.high_bytes, rank.parts.total_bytes)
    band = (rank.low_bytes, rank.parts.total_bytes, rank.high_bytes)
    lines = [
        spread(left, right, width),
        ((" ", ""), *parts_bar(rank.parts, width - 2, whole)),
        ((" ", ""), *band_line(band, whole, width - 2)),
        *parts_table(rank.parts, width, part_notes(told.spec, footprint)),
    ]
    facts = []
    if footprint.kv_bytes_per_token:
        facts.append(f"{footprint.kv_bytes_per_token:,.0f} bytes of cache a token")
    if footprint.checkpoint_bytes is not None:
        facts.append(f"files {bytes_text(footprint.checkpoint_bytes)}")
    if facts:
        lines += sentence_lines(", ".join(facts), width, "label")
    return lines


def assumption_lines(assumptions: Sequence[Assumption], width: int, *, every: bool) -> list[Line]:
    """Draw what was taken for granted: the first few, or all of them with where they are from."""
    if not assumptions:
        return []
    lines = [heading("taken for granted", width)]
    shown = assumptions if every else assumptions[:_FEW_ASSUMPTIONS]
    for each in shown:
        source = f" ({each.source})" if every else ""
        lines += sentence_lines(clean(f"{each.subject}: {each.says}{source}"), width, "dim")
    if len(shown) < len(assumptions):
        lines += sentence_lines(f"and {len(assumptions) - len(shown)} more (--all)", width, "dim")
    return lines

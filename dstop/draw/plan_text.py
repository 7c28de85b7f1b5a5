"""A plan as text: what each GPU should hold, part by part and rank by rank, and which cards would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.detail import heading
from dstop.draw.line import BLANK, clean, fit_line, spread
from dstop.draw.parts_bar import band_line, parts_bar, parts_table
from dstop.draw.plan_gauge import plan_title
from dstop.draw.plan_search import cost_lines, search_lines
from dstop.draw.plan_tables import card_lines, stage_lines
from dstop.draw.plan_tier import tier_lines
from dstop.draw.plan_words import layout_text, load_text, part_notes, settings_text
from dstop.draw.snapshot_facts import sentence_lines
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line
    from dstop.footprint.plan import Plan
    from dstop.model.footprint import Assumption

LEAST, WIDEST = 60, 200
_FEW_ASSUMPTIONS = 5


def plan_lines(plan: Plan, width: int, *, every: bool = False) -> list[Line]:
    """Draw a plan.

    Args:
        plan: what was found out.
        width: cells; below 60 it is drawn as for 60, more than 200 are left empty.
        every: all assumptions.
    """
    width = max(LEAST, min(width, WIDEST))
    spec, footprint = plan.spec, plan.footprint
    title: Line = ((f" {plan_title(footprint)}", "head"),)
    lines = [
        spread(title, ((f"{load_text(spec)} ", "head"),), width),
        *sentence_lines(f"{layout_text(spec.parallel)} · {settings_text(spec)}", width, "label"),
        BLANK,
        *rank_lines(plan, width),
    ]
    if len(footprint.ranks) > 1:
        lines += [BLANK, heading("each pipeline stage", width), *stage_lines(footprint, width)]
    if plan.fits:
        lines += [BLANK, heading("which cards hold it", width), *card_lines(plan.fits, width)]
        lines += _card_notes(plan, width)
    if plan.searched is not None:
        lines += [BLANK, heading("the cheapest that fits", width), *search_lines(plan.searched, width)]
    if plan.costs is not None:
        lines += [BLANK, heading("what a run comes to", width), *cost_lines(plan.costs, width)]
    if plan.tier is not None:
        lines += [BLANK, *tier_lines(plan.tier, width)]
    lines += [BLANK, *assumption_lines(footprint.assumptions, width, every=every)]
    return [fit_line(line, width) for line in lines]


def _card_notes(plan: Plan, width: int) -> list[Line]:
    """Say what the verdicts of an engine mean, and whose prices they are."""
    lines: list[Line] = []
    if plan.spec.phase == "inference" and plan.spec.framework in {"vllm", "sglang"}:
        many = f"all {plan.spec.batch:,} sequences" if plan.spec.batch > 1 else "the sequence"
        text = f"an engine fills its pool: fits holds {many} at once with room to err, tight at least one"
        lines += sentence_lines(text, width, "dim")
    if any(fit.price_per_hour is not None for fit in plan.fits):
        text = "$/h: the cheapest dated list price of whole servers, or your own (--price GPU=USD)"
        lines += sentence_lines(text, width, "dim")
    return lines


def rank_lines(plan: Plan, width: int) -> list[Line]:
    """Draw the GPU that is asked about: its total with the band, the bar, and a part a line."""
    footprint, rank = plan.footprint, plan.footprint.per_gpu
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
        *parts_table(rank.parts, width, part_notes(plan.spec, footprint)),
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
    few = not every and len(assumptions) > _FEW_ASSUMPTIONS + 1
    shown = assumptions[:_FEW_ASSUMPTIONS] if few else assumptions
    for each in shown:
        source = f" ({each.source})" if every else ""
        lines += sentence_lines(clean(f"{each.subject}: {each.says}{source}"), width, "dim")
    if len(shown) < len(assumptions):
        lines += sentence_lines(f"and {len(assumptions) - len(shown)} more (--all)", width, "dim")
    return lines

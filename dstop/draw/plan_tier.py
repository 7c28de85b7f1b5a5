"""A tier of the sizing guide as lines: its claims as such, and arithmetic beside them where it contradicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.detail import heading
from dstop.draw.line import clean, fit, fit_line
from dstop.draw.plan_gauge import count_text
from dstop.draw.snapshot_facts import sentence_lines

if TYPE_CHECKING:
    from dstop.draw.line import Line
    from dstop.footprint.catalog.tier_values import TierEnd, TierReport

_NAME, _FIGURE = 34, 16


def tier_lines(report: TierReport, width: int) -> list[Line]:
    """Draw a tier.

    Args:
        report: the guide's figures with what arithmetic gives at both ends of its sizes.
        width: cells.
    """
    tier = report.tier
    lines = [
        heading(f"{clean(tier.name)}: the sizing guide's figures, and arithmetic", width),
        _row("", "training", "inference", width, "dim"),
        _row(
            "the guide, each GPU",
            _range(tier.training_low_bytes, tier.training_high_bytes),
            _range(tier.inference_low_bytes, tier.inference_high_bytes),
            width,
        ),
        *(_end(end, width) for end in report.ends),
    ]
    lines += sentence_lines(f"the guide's example: {clean(tier.sample)}", width, "label")
    for says in report.contradictions:
        lines += sentence_lines(f"cannot be: {clean(says)}", width, "bad")
    for says in report.remarks:
        lines += sentence_lines(clean(says), width, "dim")
    return lines


def _end(end: TierEnd, width: int) -> Line:
    trained, served = end.training.per_gpu, end.inference.per_gpu
    return _row(
        f"arithmetic, {count_text(end.parameters)} (GPUs: {end.training.gpus}, {end.inference.gpus})",
        _range(trained.low_bytes, trained.high_bytes),
        _range(served.low_bytes, served.high_bytes),
        width,
    )


def _range(low: int | None, high: int | None) -> str:
    if low is None or high is None:
        return "–"
    return f"{_gb(low)} to {_gb(high)} GB"


def _gb(count: int) -> str:
    """Write bytes in the guide's unit, 1e9."""
    amount = count / 1e9
    return f"{amount:.0f}" if amount >= 10 else f"{amount:.1f}"  # noqa: PLR2004 - two digits are enough


def _row(name: str, trained: str, served: str, width: int, role: str = "") -> Line:
    return fit_line(
        (
            (f"  {fit(name, _NAME)}", role or "label"),
            (fit(trained, _FIGURE, right=True), role or "title"),
            (fit(served, _FIGURE, right=True), role or "title"),
        ),
        width,
    )

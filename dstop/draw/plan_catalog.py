"""What a plan knows by name, as lines: models, tiers of the sizing guide, cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.detail import heading
from dstop.draw.line import BLANK, clean, fit, fit_line
from dstop.draw.plan_gauge import count_text
from dstop.draw.plan_text import LEAST, WIDEST
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line
    from dstop.footprint.catalog.models import ModelEntry
    from dstop.footprint.catalog.values import Gpu, Tier

_NAME, _COUNT, _CONTEXT, _CARD, _FIGURE = 34, 9, 11, 16, 11


def catalog_lines(
    models: Sequence[ModelEntry], tiers: Sequence[Tier], cards: Sequence[Gpu], width: int
) -> list[Line]:
    """Draw the catalog, an entry a line.

    Args:
        models: with their parameters and their longest context.
        tiers: of the sizing guide.
        cards: with what a process can have of each.
        width: cells.
    """
    width = max(LEAST, min(width, WIDEST))
    lines = [heading("models", width), *(_model(each, width) for each in models)]
    lines += [BLANK, heading("tiers of the sizing guide", width), *(_tier(each, width) for each in tiers)]
    lines += [BLANK, heading("cards", width), *(_card(each, width) for each in cards)]
    return [fit_line(line, width) for line in lines]


def _model(entry: ModelEntry, width: int) -> Line:
    name = (f" {fit(clean(entry.name), _NAME)}", "")
    if entry.refused:
        return fit_line((name, (clean(f"cannot be planned: {entry.refused}"), "dim")), width)
    size = count_text(entry.total_parameters)
    active = "" if entry.active_parameters == entry.total_parameters else count_text(entry.active_parameters)
    context = "" if entry.context is None else f"{entry.context:,}"
    figures = fit(size, _COUNT, right=True) + fit(active, _COUNT, right=True)
    return fit_line(
        (name, (figures, "title"), (fit(context, _CONTEXT, right=True), "label"), _also(entry.aliases)), width
    )


def _also(aliases: Sequence[str]) -> tuple[str, str]:
    return (clean(f"  {', '.join(aliases)}") if aliases else "", "dim")


def _tier(tier: Tier, width: int) -> Line:
    high = "and more" if tier.high_parameters is None else f"to {count_text(tier.high_parameters)}"
    sizes = f"{count_text(tier.low_parameters)} {high}"
    return fit_line(
        (
            (f" {fit(clean(tier.name), _NAME)}", ""),
            (fit(sizes, 2 * _COUNT, right=True), "title"),
            _also(tier.aliases),
        ),
        width,
    )


def _card(gpu: Gpu, width: int) -> Line:
    figures = fit(bytes_text(gpu.usable_bytes), _COUNT, right=True)
    figures += fit(
        "" if gpu.bandwidth_gb_s is None else f"{gpu.bandwidth_gb_s:,.0f} GB/s", _FIGURE, right=True
    )
    flops = gpu.bf16_tflops or gpu.fp16_tflops
    figures += fit("" if flops is None else f"{flops:,.0f} TFLOPS", _FIGURE + 2, right=True)
    return fit_line(
        ((f" {fit(gpu.short, _CARD)}", ""), (figures, "title"), (f"  {clean(gpu.name)}", "dim")), width
    )

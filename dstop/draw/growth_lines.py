"""Which sites hold more from step to step: a leak, as far as the recording reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.bars import graph_rows
from dstop.draw.category_bar import CHARS, TITLES, role_of
from dstop.draw.detail import heading, wrapped
from dstop.draw.line import BLANK, fit_line
from dstop.draw.site_uses import stack_lines, where
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line
    from dstop.model.study import Growth

_MOST_LINES = 20
_LEAST_STEPS = 2


def growth_lines(growth: Sequence[Growth], steps: int, width: int) -> list[Line]:
    """Draw each site that grows: by how much a step, how it went, and its stack.

    Args:
        growth: the fastest first.
        steps: how many were recognised in the recording: without steps nothing can be told.
        width: cells.
    """
    if not growth and steps < _LEAST_STEPS:
        text = "no site grows clearly, and no training steps were recognised that could be compared"
        return wrapped(f"{text}: record several steps to be sure", width, "note")
    if not growth:
        return wrapped(f"nothing grows: no site holds more and more over the {steps} steps", width)
    total = sum(each.per_step_bytes for each in growth)
    what = "1 site grows" if len(growth) == 1 else f"{len(growth)} sites grow"
    lines = [heading(f"{what} by {bytes_text(total)} a step", width)]
    for each in growth:
        lines += [fit_line(BLANK, width), *_one(each, width)]
    return lines


def _one(growth: Growth, width: int) -> list[Line]:
    site = growth.site
    count = f"{site.blocks:,} block{'s' if site.blocks != 1 else ''}"
    head: Line = (
        (f" +{bytes_text(growth.per_step_bytes)} a step", "bad"),
        (f"  in {growth.steps} steps, {bytes_text(site.size_bytes)} in {count} at the end  ", ""),
        (f"{CHARS[site.category]} ", role_of(site.category)),
        (TITLES[site.category], "label"),
        (f" {site.confidence}", "dim"),
    )
    lines = [fit_line(head, width), fit_line((("  ", ""), (where(site, width - 2), "mine")), width)]
    held = growth.held_bytes
    if len(held) > 1:
        cells = max(1, min(len(held), width - 24))
        graph = graph_rows(_stretched(held, 2 * cells), cells, 1, max(held))[0]
        ends = f"  {bytes_text(held[0])} → {bytes_text(held[-1])}"
        lines.append(fit_line((("  ", ""), (graph, role_of(site.category)), (ends, "dim")), width))
    return lines + stack_lines(site, width, native=False)[:_MOST_LINES]


def _stretched(values: Sequence[int], count: int) -> list[int]:
    """Give `count` of the values, evenly."""
    return [values[place * len(values) // count] for place in range(count)]

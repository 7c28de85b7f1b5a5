"""What grows from step to step, in two lines a site: how much, how it went, and whose line it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.bars import graph_rows
from dstop.draw.category_bar import CHARS, role_of
from dstop.draw.detail import heading
from dstop.draw.growth_lines import growth_lines
from dstop.draw.line import cells, fit, fit_line
from dstop.draw.own_code import callers_text
from dstop.draw.site_uses import where
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line
    from dstop.model.study import Growth

_MOST = 5
_AMOUNT = 15
_GRAPH = 12
_INDENT = 14


def growth_summary(growth: Sequence[Growth], steps: int, width: int) -> list[Line]:
    """Draw the sites that grow fastest, or say that none does.

    Args:
        growth: the fastest first.
        steps: how many were recognised in the recording.
        width: cells.
    """
    if not growth:
        return growth_lines(growth, steps, width)
    total = sum(each.per_step_bytes for each in growth)
    what = "1 site grows" if len(growth) == 1 else f"{len(growth)} sites grow"
    lines = [heading(f"{what} by {bytes_text(total)} a step", width)]
    for each in growth[:_MOST]:
        lines += _one(each, width)
    if len(growth) > _MOST:
        lines.append(fit_line(((f" and {len(growth) - _MOST} that grow less (--json)", "dim"),), width))
    return lines


def _one(growth: Growth, width: int) -> list[Line]:
    site, held = growth.site, growth.held_bytes
    graph = graph_rows(held, max(1, min(_GRAPH, len(held) // 2)), 1, max(1, *held))[0] if held else ""
    told = f"{graph} {bytes_text(held[0])} → {bytes_text(held[-1])}  " if held else ""
    spans: list[tuple[str, str]] = [
        (fit(f" +{bytes_text(growth.per_step_bytes)} a step", _AMOUNT), "bad"),
        (f"{CHARS[site.category]} ", role_of(site.category)),
        (told, "dim"),
    ]
    place = where(site, max(0, width - _AMOUNT - 2 - cells(told)))
    lines = [fit_line((*spans, (place, "mine")), width)]
    callers = callers_text(site.own, site.places, width - _INDENT)
    if callers:
        lines.append(fit_line(((" " * _INDENT, ""), (callers, "dim")), width))
    return lines

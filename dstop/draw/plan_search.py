"""What a search found, and what a run would cost, as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.detail import wrapped
from dstop.draw.line import clean, fit, fit_line, line_cells
from dstop.draw.plan_gauge import count_text
from dstop.draw.plan_words import layout_text
from dstop.draw.snapshot_facts import sentence_lines
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line, Span
    from dstop.footprint.cost import Cost
    from dstop.footprint.search.cheapest import Found, Searched

_CARD, _PRICE, _BYTES, _SPEED, _HOURS, _TOKENS = 17, 11, 8, 11, 9, 8
NOTHING = (
    "nothing that was searched holds it: a shorter sequence, a smaller batch or lighter formats need less"
)


def search_lines(searched: Searched, width: int) -> list[Line]:
    """Draw the layouts that were found, the cheapest first, and say what was searched.

    Args:
        searched: the answer.
        width: cells.
    """
    if not searched.found:
        return [*sentence_lines(NOTHING, width, "bad"), *sentence_lines(searched.says, width, "dim")]
    head = f"  {fit('cards', _CARD)}{fit('$/h', _PRICE, right=True)}{fit('each', _BYTES, right=True)}  layout"
    lines: list[Line] = [fit_line(((head, "dim"),), width)]
    for each in searched.found:
        lines += _found(each, width)
    first = searched.found[0].price
    if first is not None:
        day = f", {first.as_of}" if first.as_of else ""
        lines += sentence_lines(f"the first: {clean(first.source)}{day}", width, "dim")
    return lines + sentence_lines(f"searched: {searched.says}", width, "dim")


def _found(found: Found, width: int) -> list[Line]:
    """Draw one answer; a layout that has no room beside its figures stands below them."""
    name = clean(found.gpu) if found.count == 1 else f"{found.count:,} × {clean(found.gpu)}"
    price = "–" if found.price is None else f"{found.price.per_hour:,.2f}"
    layout = " · ".join([layout_text(found.spec.parallel), *found.changes])
    row: Line = (
        (f"  {fit(name, _CARD)}", ""),
        (fit(price, _PRICE, right=True), "title"),
        (fit(bytes_text(found.total_bytes), _BYTES, right=True), "label"),
    )
    if line_cells(row) + 2 + len(layout) <= width:
        return [fit_line((*row, (f"  {layout}", "")), width)]
    return [
        fit_line(row, width),
        *(fit_line((("    ", ""), *more), width) for more in wrapped(layout, width - 6)),
    ]


def cost_lines(costs: Sequence[Cost], width: int) -> list[Line]:
    """Draw what a run comes to on what holds it, with what is taken for granted about its speed.

    Args:
        costs: a card each.
        width: cells.
    """
    if not costs:
        return sentence_lines("nothing above holds it: there is no run to cost", width, "note")
    head = f"  {fit('cards', _CARD)}{fit('tokens/s', _SPEED, right=True)}{fit('hours', _HOURS, right=True)}"
    head += fit("tokens", _TOKENS, right=True) + fit("$", _PRICE, right=True)
    lines: list[Line] = [fit_line(((head, "dim"),), width)]
    lines += [_cost(each, width) for each in costs]
    said = dict.fromkeys(says for each in costs for says in each.assumptions)
    if len(costs) > 1:  # figures of single cards would fill the page
        said = dict.fromkeys(costs[0].assumptions)
        lines += sentence_lines(f"on the {clean(costs[0].gpu)}, and likewise on the others:", width, "dim")
    for says in said:
        lines += sentence_lines(says, width, "dim")
    return lines


def _cost(cost: Cost, width: int) -> Line:
    name = clean(cost.gpu) if cost.count == 1 else f"{cost.count:,} × {clean(cost.gpu)}"
    at_most = "≤ " if cost.at_most else ""
    spans: list[Span] = [
        (f"  {fit(name, _CARD)}", ""),
        (fit(_number(cost.tokens_per_second, at_most), _SPEED, right=True), "label"),
        (fit(_number(cost.hours), _HOURS, right=True), "label"),
        (fit("–" if cost.tokens is None else count_text(cost.tokens), _TOKENS, right=True), "label"),
        (fit("–" if cost.price is None else f"{cost.price:,.2f}", _PRICE, right=True), "title"),
    ]
    return fit_line(tuple(spans), width)


def _number(value: float | None, before: str = "") -> str:
    if value is None:
        return "–"
    return f"{before}{value:,.0f}" if value >= 100 else f"{before}{value:.3g}"  # noqa: PLR2004 - three digits

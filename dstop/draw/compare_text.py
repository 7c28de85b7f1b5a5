"""Two snapshots side by side as text: their peaks, what each category has of them, and the sites that changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.balance_bar import amount_text
from dstop.draw.category_bar import CHARS, TITLES, category_bar, role_of
from dstop.draw.detail import heading, wrapped
from dstop.draw.line import BLANK, clean, fit, fit_line
from dstop.draw.site_uses import where
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line
    from dstop.model.comparison import Comparison, SiteChange

_WIDEST, _LEAST = 160, 40
_NAME, _AMOUNT = 17, 8
_TITLES = ("before", "after", "change")


def compare_lines(
    before: str, after: str, comparisons: Sequence[Comparison], width: int, top: int
) -> list[Line]:
    """Draw what changed on each device that both have.

    Args:
        before: the name of the first file.
        after: of the second.
        comparisons: a device each.
        width: cells.
        top: sites at most.
    """
    width = max(_LEAST, min(width, _WIDEST))
    lines: list[Line] = [
        fit_line(((f" {clean(before)} → {clean(after)}", "head"),), width, "head"),
        *wrapped("each at its own peak", width, "dim"),
    ]
    if not comparisons:
        lines += wrapped("the two have no device in common", width, "note")
    for each in comparisons:
        lines += [BLANK, *_device(each, width, top)]
    return lines


def _device(told: Comparison, width: int, top: int) -> list[Line]:
    change = told.after.live_bytes - told.before.live_bytes
    first, second = amount_text(told.before.live_bytes), amount_text(told.after.live_bytes)
    title = f"cuda:{told.device}: {first} live → {second} live ({_signed(change)})"
    lines = [heading(title, width)]
    # On one scale, so that the longer bar is the larger peak.
    most = max(_total(told, after=False), _total(told, after=True), 1)
    for moment, total in (
        (told.before, _total(told, after=False)),
        (told.after, _total(told, after=True)),
    ):
        cells = round((width - 2) * total / most)
        if cells > 0:
            lines.append(fit_line(((" ", ""), *category_bar(moment, cells)), width))
    head = fit("", _NAME) + "".join(fit(name, _AMOUNT, right=True) for name in _TITLES)
    lines.append(fit_line(((head, "label"),), width))
    for name, old, new in told.categories:
        look = ((f" {CHARS[name]} ", role_of(name)), (fit(TITLES[name], _NAME - 3), ""))
        lines.append(fit_line((*look, *_amounts(old, new)), width))
    reserved = told.before.reserved_bytes, told.after.reserved_bytes
    lines.append(fit_line(((fit("   reserved", _NAME), "label"), *_amounts(*reserved)), width))
    return [*lines, BLANK, *_sites(told.sites, width, top)]


def _total(told: Comparison, *, after: bool) -> int:
    moment = told.after if after else told.before
    return max(moment.live_bytes, moment.reserved_bytes)


def _amounts(old: int, new: int) -> Line:
    numbers = "".join(fit(bytes_text(count), _AMOUNT, right=True) for count in (old, new))
    role = "bad" if new > old else "ok" if new < old else "dim"
    return ((numbers, ""), (fit(_signed(new - old), _AMOUNT, right=True), role))


def _signed(change: int) -> str:
    return f"+{bytes_text(change)}" if change > 0 else bytes_text(change) if change else "same"


def _sites(sites: Sequence[SiteChange], width: int, top: int) -> list[Line]:
    """Draw those that changed most, whichever way."""
    if not sites:
        return wrapped("every site holds the same in both", width)
    shown = sorted(sites, key=lambda each: -abs(each.after_bytes - each.before_bytes))[:top]
    shown.sort(key=lambda each: each.before_bytes - each.after_bytes)
    lines = [heading("who asked for what changed", width)]
    for each in shown:
        spans = (
            *_amounts(each.before_bytes, each.after_bytes),
            (f"  {CHARS[each.site.category]} ", role_of(each.site.category)),
        )
        place = where(each.site, max(0, width - 3 * _AMOUNT - 4))
        lines.append(fit_line((*spans, (place, "")), width))
    left = len(sites) - len(shown)
    if left:
        lines += wrapped(f"and {left} more that changed less (--top {len(sites)})", width, "dim")
    return lines

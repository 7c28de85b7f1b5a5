"""What a snapshot says, as tables: they are read without a script, copied, and printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.balance_bar import amount_text
from dstop.draw.category_bar import TITLES, sureness
from dstop.draw.site_uses import NO_STACK, where
from dstop.export.markup import Markup, element, joined, one_line
from dstop.export.snapshot_names import asked_by, frame_text, kept
from dstop.export.snapshot_timeline_svg import has_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dstop.model.study import Failure, Fragmentation, FreeRow, Growth, Moment, Pin, SiteUse, Verdict

MOST_ROWS = 30
_WHERE = 110
_PIN_HEADS = ("free around it", "its segment", "the block", "category", "who asked")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], figures: frozenset[int]) -> Markup:
    """Make a table.

    Args:
        heads: of the columns.
        rows: Markup or text, as many a row as there are heads.
        figures: which columns are figures, and so stand to the right.
    """
    signs = ["n" if column in figures else None for column in range(len(heads))]
    head = [element("th", text, class_=sign, scope="col") for text, sign in zip(heads, signs, strict=True)]
    body = [
        element("tr", *(element("td", cell, class_=sign) for cell, sign in zip(row, signs, strict=True)))
        for row in rows
    ]
    return element(
        "div",
        element("table", element("thead", element("tr", *head)), element("tbody", *body)),
        class_="wide",
        tabindex=0,
    )


def swatch(kind: str) -> Markup:
    """Draw the colour and pattern of a category, or of another kind of block."""
    parts = [element("rect", width="100%", height="100%", class_=f"k-{kind}")]
    if has_pattern(kind):
        parts.append(element("rect", width="100%", height="100%", fill=f"url(#c-{kind})"))
    return element("svg", *parts, class_="swatch", width=16, height=12, aria_hidden="true")


def category_cell(category: str) -> Markup:
    """Name a category beside its colour."""
    return element("span", swatch(category), TITLES[category], class_="cat")


def percent(part: int, whole: int) -> str:
    """Give a share of a whole."""
    return f"{100 * part / whole:.0f} %" if whole else ""


def shares_table(peak: Moment, end: Moment) -> Markup:
    """List the categories of the peak with how sure they are, and what they come to at the end."""
    before = {share.category: share for share in peak.shares}
    after = {share.category: share for share in end.shares}
    rows = []
    for category in (name for name in TITLES if name in before or name in after):
        share, later = before.get(category), after.get(category)
        size = share.size_bytes if share else 0
        rows.append(
            (
                category_cell(category),
                amount_text(size),
                percent(size, peak.live_bytes),
                f"{share.blocks:,}" if share else "0",
                sureness(share) if share else "",
                amount_text(later.size_bytes if later else 0),
            )
        )
    total = ("all", amount_text(peak.live_bytes), "100 %", "", "", amount_text(end.live_bytes))
    return table(
        ("category", "at the peak", "share", "blocks", "how sure", "at the end"),
        [*rows, total],
        frozenset({1, 2, 3, 5}),
    )


def sites_table(sites: Sequence[SiteUse], live_bytes: int) -> Markup:
    """List sites with the reader's own line first, and the whole stack folded."""
    rows = [
        (
            amount_text(site.size_bytes),
            percent(site.size_bytes, live_bytes),
            category_cell(site.category),
            site.confidence,
            f"{site.blocks:,}",
            _stack(site),
        )
        for site in sites[:MOST_ROWS]
    ]
    return table(
        ("bytes", "share", "category", "how sure", "blocks", "who asked"), rows, frozenset({0, 1, 4})
    )


def _stack(site: SiteUse) -> Markup:
    named = where(site, _WHERE)
    if not site.places:
        return element("span", NO_STACK if not site.name else named, class_="cost")
    lines = []
    for place in kept(site.places):
        if place is None:
            lines.append(element("li", "…"))
            continue
        text, python = frame_text(place)
        sign = "own" if place == site.own else None if python else "native"
        lines.append(element("li", one_line(text), class_=sign))
    return element("details", element("summary", one_line(named)), element("ol", *lines), class_="stack")


def failures_list(failures: Sequence[Failure]) -> Iterator[Markup]:
    """Say of each failure what was asked, what there was, and where."""
    for failure in failures[:MOST_ROWS]:
        at = asked_by(failure.places)
        text = (
            f"Out of memory after {failure.event:,} events: {amount_text(failure.request_bytes)} asked for; "
            f"{amount_text(failure.live_bytes)} live, {amount_text(failure.reserved_bytes)} reserved, "
            f"{amount_text(failure.device_free_bytes)} free on the device"
        )
        yield element(
            "p", element("b", text), *((", in ", element("code", at)) if at else ()), class_="oom-line"
        )
    if len(failures) > MOST_ROWS:
        yield element("p", f"{len(failures) - MOST_ROWS:,} more failures are not listed.", class_="cost")


def verdicts_table(verdicts: Sequence[Verdict]) -> Markup:
    """List what would have fitted, by how much, how far that may be off, and on what it rests."""
    rows = [
        (
            joined([one_line(each.what), *_pasted(each)]),
            element("b", _verdict(each), class_=_sign(each.fits)),
            amount_text(each.peak_reserved_bytes),
            "not checked" if each.error_bytes is None else "± " + amount_text(each.error_bytes),
            joined([one_line("; ".join((*each.assumptions, f"seen until {each.until}")))]),
        )
        for each in verdicts[:MOST_ROWS]
    ]
    heads = ("if", "then", "reserves at most", "error", "rests on")
    return table(heads, rows, frozenset({2, 3}))


def _pasted(each: Verdict) -> tuple[Markup, ...]:
    """Give the line to paste, below the words: beside them it would push what the verdict rests on off the page."""
    return (element("code", one_line(each.setting), class_="pasted"),) if each.setting else ()


def _sign(fits: bool | None) -> str | None:
    return None if fits is None else "ok" if fits else "bad"


def _verdict(each: Verdict) -> str:
    if each.fits is None:
        return "not known: the capacity is not told"
    if each.fits:
        return f"fits, {amount_text(each.headroom_bytes)} to spare"
    return f"does not fit, {amount_text(each.short_bytes)} short"


def growth_table(growth: Sequence[Growth]) -> Markup:
    """List the sites that hold more from step to step."""
    rows = [
        (
            "+" + amount_text(each.per_step_bytes),
            f"{each.steps:,}",
            amount_text(each.site.size_bytes),
            category_cell(each.site.category),
            _stack(each.site),
        )
        for each in growth[:MOST_ROWS]
    ]
    return table(("a step", "steps", "at the end", "category", "who asked"), rows, frozenset({0, 1, 2}))


def fragmentation_tables(told: Fragmentation) -> Iterator[Markup]:
    """Say what the free memory is good for, where it is, and what keeps it from being given back."""
    yield element(
        "p",
        f"{amount_text(told.free_bytes)} of {amount_text(told.reserved_bytes)} reserved are free: "
        f"{amount_text(told.reclaimable_bytes)} go back to the driver when asked for, "
        f"{amount_text(told.split_bytes)} lie in segments that are in use, "
        f"and the largest hole is {amount_text(told.largest_hole_bytes)}.",
    )
    if told.rows:
        heads = ("pool", "stream", "requests", "reserved", "in use", "free", "largest hole", "whole segments")
        yield table(heads, [_free_row(row) for row in told.rows[:MOST_ROWS]], frozenset(range(3, 8)))
    if told.pins:
        yield element("h4", "Blocks that keep mostly free segments")
        yield table(_PIN_HEADS, [_pin(pin) for pin in told.pins[:MOST_ROWS]], frozenset({0, 1, 2}))


def _free_row(row: FreeRow) -> tuple[str, ...]:
    amounts = (row.reserved_bytes, row.active_bytes, row.free_bytes, row.largest_hole_bytes)
    pool = "everybody's" if row.pool == (0, 0) else f"private {row.pool[0]}:{row.pool[1]}"
    stream = "default" if row.stream == 0 else f"{row.stream:#x}"
    small = "small" if row.small else "large"
    return (pool, stream, small, *map(amount_text, (*amounts, row.whole_segments_bytes)))


def _pin(pin: Pin) -> tuple[str, ...]:
    sizes = (pin.free_bytes, pin.segment_bytes, pin.block_bytes)
    return (*map(amount_text, sizes), category_cell(pin.site.category), _stack(pin.site))

"""The balance sheet as a drawing: one bar for the card, and below it the request that did not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.balance_bar import amount_text
from dstop.export.markup import Markup, element, joined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.export.doctor_tables import Part, Sheet
    from dstop.model.diagnosis import Balance

_HEIGHT = 46
_LEAST_FOR_LETTER = 0.045
"""Share of the bar that has room for a letter, on a phone too."""
_MOST_BEYOND = 0.3
"""Of the card: a request that sticks out farther is cut off there."""

_PATTERNS = {
    "pools": "M2 2h.01M6 6h.01",
    "cached": "M0 2h8M0 6h8",
    "outside": "M-2 10L10 -2M-2 2L2 -2M6 10L10 6",
    "others": "M-2 -2L10 10M6 -2L10 2M-2 6L2 10",
    "nobody": "M0 0L8 8M8 0L0 8",
    "untold": "M4 4h.01",
    "beyond": "M-2 10L10 -2M-2 2L2 -2M6 10L10 6",
}
"""Beside its colour each part has a pattern, and a letter where there is room: colour alone tells nobody anything."""


def letters(sheet: Sheet) -> dict[str, str]:
    """Give the letter of each part, in their order."""
    return {part.id: "ABCDEFGHIJ"[place] for place, part in enumerate(sheet.parts)}


def bar_svg(sheet: Sheet, balance: Balance) -> Markup:
    """Draw the card, and the request from where free memory begins; lengths are percentages, so that any width fits."""
    full = max(sheet.total_bytes, sum(part.bytes or 0 for part in sheet.parts))
    free = balance.free_bytes
    tried = balance.tried_bytes if free is not None else None
    start = max(0, full - (free or 0))
    beyond = 0 if tried is None else min(max(0, start + tried - full), int(_MOST_BEYOND * full))
    scale = 100 / (full + beyond)
    said = ", ".join(f"{part.name} {amount_text(part.bytes)}" for part in sheet.parts)
    request = () if tried is None else _request(start, tried, full, beyond, scale)
    return element(
        "svg",
        element("title", f"Where the {amount_text(sheet.total_bytes)} of the card were"),
        element("desc", said),
        patterns(),
        *_parts(sheet, scale),
        *request,
        class_="bar",
        role="img",
        width="100%",
        height=_HEIGHT if tried is None else _HEIGHT + 42,
    )


def patterns() -> Markup:
    """Define the patterns that the parts of the bar and of its legend are filled with."""
    return element("defs", *(_pattern(name, path) for name, path in _PATTERNS.items()))


def swatch(part: str) -> Markup:
    """Draw a part's colour and pattern for the legend."""
    return element(
        "svg", *_filled(part, "0", "100%", 0, 14), class_="swatch", width=22, height=14, aria_hidden="true"
    )


def _pattern(name: str, path: str) -> Markup:
    drawn = element("path", d=path, class_="ink")
    return element("pattern", drawn, id=f"p-{name}", width=8, height=8, patternUnits="userSpaceOnUse")


def _parts(sheet: Sheet, scale: float) -> Iterator[Markup]:
    at = 0
    names = letters(sheet)
    for part in sheet.parts:
        if not part.bytes:
            continue
        yield element(
            "g", element("title", _said(part)), *_filled(part.id, _pct(at, scale), _pct(part.bytes, scale))
        )
        if part.bytes * scale >= 100 * _LEAST_FOR_LETTER:
            middle = _pct(at + part.bytes // 2, scale)
            yield element(
                "text", names[part.id], x=middle, y=29, class_=f"letter on-{part.id}", text_anchor="middle"
            )
        at += part.bytes


def _said(part: Part) -> str:
    return f"{part.name}: {amount_text(part.bytes)}"


def _filled(part: str, x: str, width: str, y: int = 0, height: int = _HEIGHT) -> Iterator[Markup]:
    yield element("rect", x=x, y=y, width=width, height=height, class_=f"seg {part}")
    if part in _PATTERNS:
        yield element("rect", x=x, y=y, width=width, height=height, fill=f"url(#p-{part})")


def _request(start: int, tried: int, full: int, beyond: int, scale: float) -> Iterator[Markup]:
    inside = min(tried, full - start)
    y = _HEIGHT + 6
    yield element("rect", x=_pct(start, scale), y=y, width=_pct(inside, scale), height=12, class_="asked")
    if beyond:
        yield from _filled("beyond", _pct(full, scale), _pct(beyond, scale), y, 12)
        edge = _pct(full, scale)
        yield element("line", x1=edge, x2=edge, y1=0, y2=y + 12, class_="edge")
    said = joined((f"asked for {amount_text(tried)}", _short(tried, full - start)))
    yield element("text", said, x="100%", y=y + 30, class_="note", text_anchor="end")


def _short(tried: int, free: int) -> str:
    return f", {amount_text(tried - free)} short" if tried > free else ""


def _pct(count: int, scale: float) -> str:
    return f"{count * scale:.3f}%"

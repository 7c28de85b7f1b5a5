"""The timeline as a drawing that needs no script: what is live by category, what is reserved, what failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.balance_bar import amount_text
from dstop.draw.category_bar import TITLES
from dstop.export.markup import Markup, element
from dstop.export.snapshot_points import thinned
from dstop.model.study import CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dstop.export.snapshot_points import Point
    from dstop.snapshot.study import DeviceStudy

WIDTH, HEIGHT = 1000, 280
MOST = 500
"""Points of the drawing; the script has more of them."""
_DENSE = 300
"""Points; more stand so close that seams between the areas would be all there is to see."""
_ROOM = 1.04
_TICKS = 4
_PATTERNS = {
    "gradients": "M0 8L8 0",
    "optimizer_state": "M1 2h3M5 6h3",
    "activations": "M4 4h.01",
    "temporaries": "M0 4h8",
    "communication": "M4 0v8",
    "compiled": "M0 0L8 8M8 0L0 8",
    "input": "M0 0L8 8",
}
"""Beside its colour a category has a pattern; the three that have none are blue, orange and grey, for every eye."""


def patterns() -> Markup:
    """Define the patterns, once a page: alone, to lie over an area, and on their colour, to fill a block."""
    made = (_pattern(*each, solid) for each in _PATTERNS.items() for solid in (False, True))
    return element("svg", element("defs", *made), class_="defs", width=0, height=0, aria_hidden="true")


def _pattern(name: str, path: str, solid: bool) -> Markup:
    ink = element("path", d=path, class_="ink")
    ground = element("rect", width=8, height=8, class_=f"k-{name}") if solid else None
    made = f"{'s' if solid else 'c'}-{name}"
    return element("pattern", ground, ink, id=made, width=8, height=8, patternUnits="userSpaceOnUse")


def has_pattern(category: str) -> bool:
    """Say whether a category has a pattern beside its colour."""
    return category in _PATTERNS


def capacity_of(study: DeviceStudy) -> int | None:
    """Give what the process could have reserved at most, as its failures tell: what it had and what the driver had."""
    told = [each.reserved_bytes + each.device_free_bytes for each in study.failures]
    return max(told, default=None)


def timeline_svg(points: Sequence[Point], study: DeviceStudy) -> Markup:
    """Draw the whole ring: x counts events, y bytes from 0."""
    shown = thinned(points, MOST)
    capacity = capacity_of(study)
    top = _ROOM * max(1, capacity or 0, *(max(point.live_bytes, point.reserved_bytes) for point in shown))
    first, last = points[0].event, points[-1].event
    across = WIDTH / max(1, last - first)
    xs = [(point.event - first) * across for point in shown]
    drawn = element(
        "g",
        *_areas(shown, xs, HEIGHT / top),
        _line(xs, [point.reserved_bytes for point in shown], HEIGHT / top),
        *_marks(study, first, across, capacity, HEIGHT / top),
        class_="drawn",
    )
    return element(
        "svg",
        element("title", f"Memory of device {study.device} over {study.events:,} events"),
        element("desc", _said(study, capacity)),
        *_ticks(),
        drawn,
        class_="timeline dense" if len(shown) > _DENSE else "timeline",
        role="img",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
        width="100%",
        height=HEIGHT,
    )


def _said(study: DeviceStudy, capacity: int | None) -> str:
    peak = amount_text(int(study.live[study.peak]))
    text = f"At most {peak} live, after {study.peak:,} events; up to {amount_text(int(study.reserved.max()))} reserved"
    return text if capacity is None else f"{text}; {amount_text(capacity)} could be had when a request failed"


def _ticks() -> Iterator[Markup]:
    for tick in range(1, _TICKS):
        y = HEIGHT * tick / _TICKS
        yield element("line", x1=0, x2=WIDTH, y1=y, y2=y, class_="grid")


def tick_texts(points: Sequence[Point], study: DeviceStudy) -> tuple[str, ...]:
    """Give the texts of the vertical axis, from the top."""
    top = _ROOM * max(
        1, capacity_of(study) or 0, *(max(each.live_bytes, each.reserved_bytes) for each in points)
    )
    return tuple(amount_text(int(top * (_TICKS - tick) / _TICKS)) for tick in range(_TICKS + 1))


def _areas(points: Sequence[Point], xs: Sequence[float], scale: float) -> Iterator[Markup]:
    below = [0] * len(points)
    for number, category in enumerate(CATEGORIES):
        above = [under + point.shares[number] for under, point in zip(below, points, strict=True)]
        if above != below:
            forth = "L".join(f"{x:.1f} {HEIGHT - y * scale:.1f}" for x, y in zip(xs, above, strict=True))
            back = "L".join(
                f"{x:.1f} {HEIGHT - y * scale:.1f}"
                for x, y in zip(reversed(xs), reversed(below), strict=True)
            )
            path = f"M{forth}L{back}z"
            yield element("path", element("title", TITLES[category]), d=path, class_=f"area k-{category}")
            if has_pattern(category):
                yield element("path", d=path, fill=f"url(#c-{category})", class_="over-area")
        below = above


def _line(xs: Sequence[float], amounts: Sequence[int], scale: float) -> Markup:
    path = "L".join(f"{x:.1f} {HEIGHT - y * scale:.1f}" for x, y in zip(xs, amounts, strict=True))
    return element("path", element("title", "reserved"), d=f"M{path}", class_="reserved")


def _marks(
    study: DeviceStudy, first: int, across: float, capacity: int | None, scale: float
) -> Iterator[Markup]:
    if capacity is not None:
        y = HEIGHT - capacity * scale
        yield element("line", x1=0, x2=WIDTH, y1=y, y2=y, class_="capacity")
    x = (study.peak - first) * across
    yield element("line", x1=x, x2=x, y1=0, y2=HEIGHT, class_="peak")
    for failure in study.failures[:MOST]:
        x = (failure.event - first) * across
        title = f"out of memory: {amount_text(failure.request_bytes)} asked for"
        yield element("line", element("title", title), x1=x, x2=x, y1=0, y2=HEIGHT, class_="oom")

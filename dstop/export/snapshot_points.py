"""The points of a timeline: the whole ring evenly, and the neighbourhood of what matters more closely."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dstop.model.study import Curve
    from dstop.snapshot.study import DeviceStudy

_NEAR = 2000
"""Events on each side of a moment that matters which are drawn closely."""
_CLOSE = 6
"""Share of the points that each such neighbourhood gets, as a divisor."""
_MOST_MARKED = 3


class Point(NamedTuple):
    """One moment of a timeline."""

    event: int
    time_us: int
    live_bytes: int
    reserved_bytes: int
    shares: tuple[int, ...]
    """Bytes by category, in their order."""


def marked(study: DeviceStudy) -> tuple[int, ...]:
    """Give the positions that a reader looks for: the peak, and just before each of the first failures."""
    return (study.peak, *(failure.event for failure in study.failures[:_MOST_MARKED]))


def points_of(study: DeviceStudy, pieces: int) -> tuple[Point, ...]:
    """Give the points of a timeline, in order; each is the highest moment of its piece, and both ends are there.

    Args:
        study: of the device.
        pieces: how many at most over the whole ring; the neighbourhoods of peak and failures come on top.
    """
    curves = [study.curve(pieces), study.curve(1, 0, 0), study.curve(1, study.events, study.events)]
    if study.events > pieces:
        close = max(1, pieces // _CLOSE)
        curves += [study.curve(close, at - _NEAR, at + _NEAR) for at in marked(study)]
    found = {point.event: point for curve in curves for point in _points(curve)}
    return tuple(found[event] for event in sorted(found))


def _points(curve: Curve) -> Iterable[Point]:
    # A file that lost segment events counts back to less than nothing.
    reserved = (max(0, amount) for amount in curve.reserved_bytes)
    columns = (curve.events, curve.time_us, curve.live_bytes, reserved, zip(*curve.shares, strict=True))
    return map(Point._make, zip(*columns, strict=True))


def thinned(points: Sequence[Point], most: int) -> tuple[Point, ...]:
    """Keep at most so many, evenly over the events, of each run the highest; the ends stay."""
    if len(points) <= most:
        return tuple(points)
    first, last = points[0].event, points[-1].event
    width = (last - first + 1) / max(1, most - 2)
    best: dict[int, Point] = {}
    for point in points[1:-1]:
        place = int((point.event - first) / width)
        if place not in best or point.live_bytes > best[place].live_bytes:
            best[place] = point
    return (points[0], *best.values(), points[-1])

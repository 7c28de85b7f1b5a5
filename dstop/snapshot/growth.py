"""What grows: sites that hold more at the end of each step than at the end of the one before.

A rise alone is no leak: ragged sequences rise and fall, caches rise and stay, optimizer state comes once. So a site is
named only where nearly every step rose *and* left something of its own that is still there at the end.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from dstop.model.study import CATEGORIES, Growth
from dstop.snapshot.same_site import site_keys

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dstop.snapshot.study import DeviceStudy

LEAST_RISES = 3
"""Twice is chance."""
NEARLY, CLEARLY = 0.8, 0.95
"""The share of steps that must rise; more where the steps are no steps but pieces."""
LEAST_BYTES = 4096
"""A step: who keeps every loss for a plot keeps 512 bytes, and that fills no card."""
MOST_EDGES = 256
MOST_SITES = 50
PIECES = 16
_LEAST_EVENTS = 64
"""A ring shorter than this is not cut into pieces."""


def growth_of(study: DeviceStudy) -> tuple[Growth, ...]:
    """Give the sites that grow, those that grow most a step first.

    The steps are those that attribution recognised; without at least four, the ends of the range that the program
    marked most often; without those, equal pieces of the ring, each at its emptiest moment.
    """
    edges, share = _edges(study)
    if len(edges) <= LEAST_RISES:
        return ()
    held, left, keys = _ledger(study, edges)
    rises = np.diff(held, axis=1)
    need = max(LEAST_RISES, int(np.ceil(share * (len(edges) - 1))))
    grows = (rises > 0).sum(axis=1) >= need
    # The first step warms up; whatever it leaves is not counted against or for anybody.
    grows &= (left[:, 1:] > 0).sum(axis=1) >= need
    grows &= (rises[:, -2:] > 0).any(axis=1)
    grows &= -np.minimum(rises, 0).sum(axis=1) * 10 <= np.maximum(rises, 0).sum(axis=1)
    median = np.median(rises, axis=1)
    grows &= median >= LEAST_BYTES
    chosen = np.flatnonzero(grows)
    chosen = chosen[np.argsort(-median[chosen], kind="stable")][:MOST_SITES]
    return tuple(_growth(study, edges, held[row], rises[row], int(keys[row])) for row in chosen.tolist())


def rows_of(study: DeviceStudy, growth: Growth) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the lives that a growing site should have let go, and the position where the step of each ended.

    They are those of its lives that outlived the end of the step after their own, or that are there at the end.
    """
    lives, (edges, _) = study.lives, _edges(study)
    keys, category = _keys(study), CATEGORIES.index(growth.site.category)
    mine = [
        number
        for number in np.unique(keys).tolist()
        if (number == -1 - category if number < 0 else study.snapshot.stacks[number] == growth.site.places)
    ]
    first, after = _covered(study, edges)
    kept = (after - first >= 2) | ((after > first) & (lives.end >= lives.events))  # noqa: PLR2004 - two step ends
    rows = np.flatnonzero(kept & np.isin(keys, mine) & (lives.begin >= 0))
    return rows, edges[first[rows]]


def _keys(study: DeviceStudy) -> NDArray[np.int64]:
    return site_keys(study.lives.stack, study.attribution.category)


def _growth(
    study: DeviceStudy, edges: NDArray[np.int64], held: NDArray[np.int64], rises: NDArray[np.int64], key: int
) -> Growth:
    last, lives = int(edges[-1]), study.lives
    rows = np.flatnonzero((_keys(study) == key) & (lives.begin < last) & (lives.end >= last))
    fell = np.flatnonzero(rises <= 0)
    return Growth(
        site=study.sites(rows, 1)[0],
        per_step_bytes=int(np.median(rises[rises > 0])),
        steps=len(rises) - (int(fell[-1]) + 1 if len(fell) else 0),
        held_bytes=tuple(held.tolist()),
    )


def _ledger(
    study: DeviceStudy, edges: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Give what each site holds at each edge, and what it allocated before each that is there at the last one."""
    lives = study.lives
    first, after = _covered(study, edges)
    rows = np.flatnonzero(after > first)
    keys, place = np.unique(_keys(study)[rows], return_inverse=True)
    size, first, after = lives.size[rows], first[rows], after[rows]
    width = len(edges) + 1
    change = np.bincount(place * width + first, weights=size, minlength=len(keys) * width)
    change -= np.bincount(place * width + after, weights=size, minlength=len(keys) * width)
    held = np.cumsum(change.reshape(-1, width), axis=1)[:, :-1].astype(np.int64)
    stays = (after == len(edges)) & (lives.begin[rows] >= 0)
    left = np.bincount(place[stays] * width + first[stays], weights=size[stays], minlength=len(keys) * width)
    return held, left.reshape(-1, width)[:, :-1].astype(np.int64), keys


def _covered(study: DeviceStudy, edges: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give for each life the first edge at which it is alive, and the first after those."""
    first = np.searchsorted(edges, study.lives.begin, side="right")
    return first, np.maximum(first, np.searchsorted(edges, study.lives.end, side="right"))


def _edges(study: DeviceStudy) -> tuple[NDArray[np.int64], float]:
    """Give the positions to compare, rising, and the share of them that must rise."""
    steps = np.array(study.attribution.steps, np.int64)
    if len(steps) <= LEAST_RISES:
        steps = _marked(study)
    if len(steps) > LEAST_RISES:
        picked = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), MOST_EDGES)).astype(np.int64))
        return steps[picked], NEARLY
    if study.events < _LEAST_EVENTS:
        return steps, CLEARLY
    bounds = np.linspace(0, study.events, PIECES + 1).astype(np.int64)
    emptiest = [
        int(begin) + int(np.argmin(study.live[begin + 1 : end + 1])) + 1
        for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
    ]
    return np.array(emptiest, np.int64), CLEARLY


def _marked(study: DeviceStudy) -> NDArray[np.int64]:
    """Give the ends of the range that was marked most often on this device."""
    ends = [each for each in study.snapshot.annotations if not each.start and each.device == study.device]
    trace = study.snapshot.trace_of(study.device)
    if not ends or trace is None:
        return np.empty(0, np.int64)
    # A profiler numbers its steps: `ProfilerStep#12`.
    (name, _), *_ = Counter(each.name.rstrip("0123456789") for each in ends).most_common(1)
    times = [each.time_us for each in ends if each.name.rstrip("0123456789") == name]
    return np.unique(np.searchsorted(trace.time_us, np.array(times, np.int64), side="right"))

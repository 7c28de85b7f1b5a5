"""DS301, live: a process grows steadily, and its card is full in so many minutes."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from dstop.doctor.live.scene import usable_bytes
from dstop.doctor.live.telling import of_gpu, of_process, remedies, who
from dstop.doctor.live.trend import LEAST_READINGS, steady_rise
from dstop.model.finding import Finding, Severity
from dstop.units import GIB, MIB, bytes_text, duration_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dstop.doctor.live.scene import Scene
    from dstop.doctor.live.trend import Trend
    from dstop.model.process import GpuProcess, ProcessKey

    Series = Sequence[float | None]

LEAST_RISE_BYTES, LEAST_RISE = 256 * MIB, 0.005
"""Over the window: a few segments of 20 MiB are ordinary work."""
CARD_RISE_PCT = 0.25
"""What a card's used memory must have gained before its processes are looked at."""
MOST_PROCESSES = 4
"""Of a card, the biggest: its growth is theirs."""
START_UP_S, START_UP_SHARE = 600.0, 0.6
"""In its first minutes, a process whose very growth made most of what it has is loading."""
LOADING_SM_PCT = 5.0
"""Weights are copied and nothing is computed: not a leak, whatever the age."""
SOON_S = 600.0


def watch(scene: Scene) -> list[Finding]:
    """Look at the biggest processes of the cards that fill."""
    found: list[Finding] = []
    for index, gpu in scene.gpus.items():
        total = usable_bytes(gpu)
        past = scene.history.get(index)
        if total is None:
            continue
        quick = past is not None and _fills(past.memory_pct[-2 * LEAST_READINGS :])
        if not quick and not _fills(scene.long_used_of(index)):
            continue
        rows = [row for row in scene.on_gpu.get(index, ()) if row.gpu_memory_bytes]
        rows.sort(key=lambda row: -(row.gpu_memory_bytes or 0))
        for row in rows[:MOST_PROCESSES]:
            finding = _of_row(scene, row, max(LEAST_RISE_BYTES, LEAST_RISE * total))
            if finding is not None:
                found.append(finding)
    return found


def _fills(used_pct: Series) -> bool:
    """Whether the least of the last third lies above the least of the first."""
    known = [value for value in used_pct if value is not None]
    third = len(known) // 3
    return len(known) >= LEAST_READINGS and min(known[-third:]) - min(known[:third]) >= CARD_RISE_PCT


def _of_row(scene: Scene, row: GpuProcess, least_rise: float) -> Finding | None:
    for step_s, trend in _trends(scene, row, least_rise):
        if _is_start_up(scene, row, trend.per_reading / step_s) or _only_cache_grows(scene, row, trend):
            continue
        room = scene.room_of(row)
        left = None if room is None else trend.readings_until(room)
        if left is not None:
            return _finding(row, trend, step_s, room or 0, left * step_s)
    return None


def _trends(scene: Scene, row: GpuProcess, least_rise: float) -> Iterator[tuple[float, Trend]]:
    sources: tuple[tuple[float, Callable[[ProcessKey], Series]], ...] = (
        (scene.step_s, scene.memory_of),
        (scene.long_step_s, scene.long_memory_of),
    )
    for step_s, series_of in sources:
        trend = steady_rise(series_of(row.key), least_rise=least_rise)
        if trend is not None:
            yield step_s, trend


def _is_start_up(scene: Scene, row: GpuProcess, bytes_s: float) -> bool:
    sm = [value for value in scene.sm_of(row.key)[-LEAST_READINGS:] if value is not None]
    if sm and median(sm) < LOADING_SM_PCT:
        return True
    age = scene.age_s(row)
    return (
        age is not None and age < START_UP_S and bytes_s * age >= START_UP_SHARE * (row.gpu_memory_bytes or 0)
    )


def _only_cache_grows(scene: Scene, row: GpuProcess, trend: Trend) -> bool:
    """Whether the allocator tells that its tensors stay as they are: then it is DS201's, or nothing."""
    if row.allocator is None:
        return False
    past = scene.allocator_of(row.id).get(row.allocator.index)
    known = [] if past is None else [value for value in past.allocated_bytes if value is not None]
    half = len(known) // 2
    if half < LEAST_READINGS // 2:
        return False
    return max(known[half:]) - max(known[:half]) < 0.1 * trend.rise


def _finding(row: GpuProcess, trend: Trend, step_s: float, room: int, left_s: float) -> Finding:
    watched = duration_text(trend.readings * step_s)
    per_minute = trend.per_reading / step_s * 60
    rate = (
        f"{bytes_text(per_minute)} a minute"
        if per_minute >= GIB / 10
        else f"{bytes_text(per_minute * 60)} an hour"
    )
    says = (
        f"{who(row)} grows by {rate}, steadily for {watched}: GPU {row.gpu_index} is full in {_ahead(left_s)}"
    )
    return Finding(
        rule="DS301",
        cause="leak",
        severity=Severity.CRITICAL if left_s <= SOON_S else Severity.WARNING,
        badge=f"LEAK {_short(left_s)}",
        says=says,
        gpu_index=row.gpu_index,
        pid=row.pid,
        started_at_s=row.facts.started_at_s,
        evidence=(
            of_process(
                row,
                f"its memory rose by {bytes_text(trend.rise)} over {watched}, without falling back",
                trend.rise,
            ),
            of_gpu(row.gpu_index, f"{bytes_text(room)} is free", room),
        ),
        fixes=remedies("fix_leak_detach", "bucket_sequence_lengths", "empty_cache", "reduce_batch"),
    )


def _ahead(seconds: float) -> str:
    if seconds < 60:  # noqa: PLR2004 - a minute
        return "less than a minute"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"  # noqa: PLR2004 - an hour and a half


def _short(seconds: float) -> str:
    if seconds < 60:  # noqa: PLR2004 - a minute
        return "<1m"
    return f"{seconds / 60:.0f}m" if seconds < 5400 else f"{min(99, seconds / 3600):.0f}h"  # noqa: PLR2004 - as above

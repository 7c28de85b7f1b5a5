"""The recorded past of a card as lines: memory and work over time, who was on it, and what happened."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dstop.draw.area_graph import area_rows
from dstop.draw.bars import graph_rows
from dstop.draw.detail import heading
from dstop.draw.event_lines import event_line
from dstop.draw.line import clean, fit, fit_line, line_cells, spread
from dstop.units import bytes_text, duration_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line, Span
    from dstop.model.event import Event
    from dstop.model.past import Past, PastPoint, PastProcess

_MEMORY_ROWS, _BUSY_ROWS = 8, 4
_EDGE = 7
_MOST_PROCESSES, _MOST_EVENTS = 20, 200
_DAY_S = 86_400


def past_lines(past: Past, since_s: int, until_s: int, total_bytes: int | None, width: int) -> list[Line]:
    """Draw memory (filled: its mean, sparse above: its peak) and utilisation from one time to another.

    Args:
        past: the points; times without one stay empty.
        since_s: the left edge, seconds since the epoch.
        until_s: the right edge.
        total_bytes: of the card; the highest point where it is not known.
        width: cells.
    """
    if not past.points:
        return [fit_line(((" nothing was recorded of this card in that time", "note"),), width)]
    room = max(1, width - _EDGE - 1)
    columns = _columns(past, since_s, until_s, 2 * room)
    mean = [_mean([point.memory_bytes for point in points]) for points in columns]
    most = [_most([point.memory_most_bytes for point in points]) for points in columns]
    busy = [_mean([point.busy_pct for point in points]) for points in columns]
    high = float(total_bytes or max((value for value in most if value), default=1))
    memory = area_rows(mean, most, room, _MEMORY_ROWS, high, steps=len(mean))
    lines = [_titled(f" memory, every {duration_text(past.step_s)}: mean ⣿, peak ⢕", "", width)]
    lines += [
        fit_line(((fit(_edge(row, _MEMORY_ROWS, high), _EDGE), "label"), *line), width)
        for row, line in enumerate(memory)
    ]
    lines.append(_titled(" utilisation, of 100 %", "", width))
    lines += [
        fit_line(((" " * _EDGE, ""), (text, "graph.gpu")), width)
        for text in graph_rows(busy, room, _BUSY_ROWS, 100, len(busy))
    ]
    return [*lines, _times(since_s, until_s, width)]


def _columns(past: Past, since_s: int, until_s: int, count: int) -> list[list[PastPoint]]:
    """Put each point into the columns that its time covers, so that coarse ones leave no gaps between them."""
    columns: list[list[PastPoint]] = [[] for _ in range(count)]
    scale = count / max(1, until_s - since_s)
    for point in past.points:
        first = int((point.at_s - since_s) * scale)
        last = int((point.at_s + past.step_s - since_s) * scale)
        for column in range(max(0, first), min(count, max(last, first + 1))):
            columns[column].append(point)
    return columns


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _most(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _edge(row: int, rows: int, high: float) -> str:
    return f"{bytes_text(high):>6}" if row == 0 else f"{'0':>6}" if row == rows - 1 else ""


def _titled(left: str, right: str, width: int) -> Line:
    return fit_line(spread(((left, "label"),), ((right, "label"),), width), width)


def _times(since_s: int, until_s: int, width: int) -> Line:
    form = "%H:%M:%S" if until_s - since_s < _DAY_S else "%m-%d %H:%M"
    texts = [time.strftime(form, time.localtime(at)) for at in (since_s, (since_s + until_s) // 2, until_s)]
    left, middle, right = texts
    line: list[Span] = [(" " * _EDGE + left, "label")]
    gap = (width + _EDGE) // 2 - line_cells(line) - len(middle) // 2
    if gap > 0:
        line += [(" " * gap, ""), (middle, "label")]
    return spread(tuple(line), ((f"{right} ", "label"),), width)


def past_process_lines(processes: Sequence[PastProcess], width: int) -> list[Line]:
    """Draw who was on the card, the biggest first."""
    if not processes:
        return []
    lines = [heading("who was on it", width)]
    for process in processes[:_MOST_PROCESSES]:
        peak = process.memory_most_bytes
        lasted = f"{time.strftime('%m-%d %H:%M', time.localtime(process.first_s))} for "
        lasted += duration_text(process.last_s - process.first_s + 1)
        name = process.command or "?"
        rank = f" rank {process.rank}" if process.rank is not None else ""
        line: Line = (
            (f" {process.pid:>8} ", "label"),
            (fit(bytes_text(peak), 7, right=True), "title"),
            (f"  {fit(clean(process.user or '?'), 10)} ", "label"),
            (fit(lasted, 24), "dim"),
            (f"{clean(name)}{rank}", ""),
        )
        lines.append(fit_line(line, width))
    more = len(processes) - _MOST_PROCESSES
    if more > 0:
        lines.append(fit_line(((f" and {more} more", "dim"),), width))
    return lines


def past_event_lines(events: Sequence[Event], width: int) -> list[Line]:
    """Draw what happened, newest first."""
    if not events:
        return []
    newest = sorted(events, key=lambda event: -event.at_ns)[:_MOST_EVENTS]
    return [heading("what happened", width), *(event_line(event, width) for event in newest)]

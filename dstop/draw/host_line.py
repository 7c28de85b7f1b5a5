"""The first line: which machine, how busy its host is, and whether the figures are real and fresh."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dstop.draw.bars import meter
from dstop.draw.line import cells, clean, fit_line, line_cells
from dstop.units import bytes_text, duration_text, percent_text

if TYPE_CHECKING:
    from dstop.draw.line import Line, Span
    from dstop.model.frame import Frame

_BAR = 10


def host_line(frame: Frame, width: int) -> Line:
    """Name, CPU, memory, load, uptime, driver, clock; what does not fit is left out from the end."""
    sample = frame.sample
    host = sample.host
    parts: list[Line] = []
    if sample.simulated is not None:
        parts.append(((" SIMULATED ", "simulated"), (" ", "")))
    parts.append(((f" {clean(host.name)} ", "title"),))
    cpu = host.cpu_pct
    bar = _BAR if width >= 100 else 0
    if cpu is not None:
        parts.append((("cpu ", "label"), *_meter(cpu / 100, bar), (f"{percent_text(cpu)}% ", "")))
    if host.memory_total_bytes and host.memory_used_bytes is not None:
        share = host.memory_used_bytes / host.memory_total_bytes
        text = f"{bytes_text(host.memory_used_bytes)}/{bytes_text(host.memory_total_bytes)} "
        parts.append((("ram ", "label"), *_meter(share, bar), (text, "bad" if share > 0.95 else "")))  # noqa: PLR2004
    if host.swap_total_bytes and host.swap_used_bytes:
        parts.append((("swap ", "label"), (f"{bytes_text(host.swap_used_bytes)} ", "warn")))
    if host.load_1 is not None:
        parts.append((("load ", "label"), (f"{host.load_1:.1f} ", "")))
    if host.container is not None:
        parts.append((("in ", "label"), (f"{clean(host.container)} ", "")))
    if sample.driver_version:
        cuda = f" CUDA {clean(sample.cuda_version)}" if sample.cuda_version else ""
        parts.append((("driver ", "label"), (f"{clean(sample.driver_version)}{cuda} ", "")))
    if host.uptime_s is not None:
        parts.append((("up ", "label"), (f"{duration_text(host.uptime_s)} ", "")))
    clock = time.strftime("%H:%M:%S ", time.localtime(sample.taken_at_ns / 1e9))
    right: Span = (clock, "label")
    spans: list[Span] = list(parts.pop(0))  # the machine's name, or that it is none, is never left out
    for part in parts:
        if line_cells(spans) + line_cells(part) + cells(clock) <= width:
            spans += part
    gap = width - line_cells(spans) - cells(clock)
    return fit_line((*spans, (" " * max(0, gap), ""), right), width)


def problem_line(frame: Frame, width: int, now_ns: int) -> Line | None:
    """The line that stands over figures that are old, and says why."""
    problem = frame.problem
    if problem is None:
        return None
    age = duration_text((now_ns - problem.since_ns) / 1e9)
    fix = f" – {clean(problem.fix)}" if problem.fix else ""
    return fit_line(((f" {clean(problem.message)}{fix} (figures are {age} old) ", "badge.bad"),), width, "badge.bad")


def _meter(share: float, width: int) -> Line:
    return (*meter(share, width, "graph.host"), (" ", "")) if width else ()

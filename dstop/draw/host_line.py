"""The first line: which machine, how busy its host is, and whether the figures are real and fresh."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from dstop.draw.bars import meter
from dstop.draw.gpu_line import short_name
from dstop.draw.line import cells, clean, fit_line, line_cells
from dstop.draw.replay_label import labels
from dstop.units import bytes_text, duration_text, percent_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.draw.line import Line, Span
    from dstop.model.frame import Frame
    from dstop.model.host import Host
    from dstop.model.sample import Sample

_BAR = 10
_WIDE = 100
_ALMOST_FULL = 0.95


def host_line(frame: Frame, width: int) -> Line:
    """Name, CPU, memory, load, uptime, driver, clock; what does not fit is left out from the end."""
    sample = frame.sample
    clock = time.strftime("%H:%M:%S ", time.localtime(sample.taken_at_ns / 1e9))
    parts = [*_machine(frame), *_load(sample.host, _BAR if width >= _WIDE else 0), *_software(sample)]
    spans: list[Span] = list(parts.pop(0))  # the machine's name, or that it is none, is never left out
    for part in parts:
        if line_cells(spans) + line_cells(part) + cells(clock) <= width:
            spans += part
    gap = width - line_cells(spans) - cells(clock)
    return fit_line((*spans, (" " * max(0, gap), ""), (clock, "label")), width)


def _machine(frame: Frame) -> Iterator[Line]:
    label = labels(frame)
    if label:
        yield (*label, (" ", ""))
    yield ((f" {clean(frame.sample.host.name)} ", "title"),)
    cards = Counter(short_name(gpu.name) for gpu in frame.sample.gpus)
    if cards:
        yield ((", ".join(f"{count}×{name}" for name, count in cards.items()) + " ", ""),)


def _load(host: Host, bar: int) -> Iterator[Line]:
    if host.cpu_pct is not None:
        yield (("cpu ", "label"), *_meter(host.cpu_pct / 100, bar), (f"{percent_text(host.cpu_pct)}% ", ""))
    if host.memory_total_bytes and host.memory_used_bytes is not None:
        share = host.memory_used_bytes / host.memory_total_bytes
        text = f"{bytes_text(host.memory_used_bytes)}/{bytes_text(host.memory_total_bytes)} "
        yield (("ram ", "label"), *_meter(share, bar), (text, "bad" if share > _ALMOST_FULL else ""))
    if host.swap_total_bytes and host.swap_used_bytes:
        yield (("swap ", "label"), (f"{bytes_text(host.swap_used_bytes)} ", "warn"))
    if host.load_1 is not None:
        yield (("load ", "label"), (f"{host.load_1:.1f} ", ""))


def _software(sample: Sample) -> Iterator[Line]:
    if sample.host.container is not None:
        yield (("in ", "label"), (f"{clean(sample.host.container)} ", ""))
    if sample.driver_version:
        cuda = f" CUDA {clean(sample.cuda_version)}" if sample.cuda_version else ""
        yield (("driver ", "label"), (f"{clean(sample.driver_version)}{cuda} ", ""))
    if sample.host.uptime_s is not None:
        yield (("up ", "label"), (f"{duration_text(sample.host.uptime_s)} ", ""))


def problem_lines(frame: Frame, width: int, now_ns: int) -> list[Line]:
    """What stands over figures that are old, and says why; two lines where one is too short for the way out."""
    problem = frame.problem
    if problem is None:
        return []
    age = duration_text((now_ns - problem.since_ns) / 1e9)
    message = f" figures are {age} old: {clean(problem.message)}"
    fix = clean(problem.fix) if problem.fix else ""
    whole = f"{message}: {fix}" if fix else message
    texts = [whole] if cells(whole) <= width or not fix else [message, f" {fix}"]
    return [fit_line(((text, "badge.bad"),), width, "badge.bad") for text in texts]


def _meter(share: float, width: int) -> Line:
    return (*meter(share, width, "graph.host"), (" ", "")) if width else ()

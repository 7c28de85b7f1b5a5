"""One process, close up: what it is, what it holds, how that moved, its command line and environment."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from dstop.draw.bars import graph_rows
from dstop.draw.figure import figure_name, figure_text
from dstop.draw.line import cells, clean, fit, fit_line
from dstop.units import bytes_text, duration_text, percent_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dstop.draw.line import Line, Span
    from dstop.model.frame import ProcessHistory
    from dstop.model.gpu import Gpu
    from dstop.model.process import GpuProcess, ProcessFacts
    from dstop.sources.hands import ProcessDetail

GRAPH_ROWS = 5
_DENSE_CELLS = 70
"""Width from which there are two columns also where reasons are cut short."""
_TYPES = {"C": "compute", "G": "graphics", "C+G": "compute and graphics", "M": "compute under MPS"}
_STATES = {
    "R": "running",
    "S": "sleeping",
    "D": "stuck in the kernel (uninterruptible)",
    "T": "stopped",
    "t": "traced",
    "Z": "zombie: it has ended and its parent does not look",
    "I": "idle",
}


def title_line(process: GpuProcess, width: int) -> Line:
    """Name the process."""
    text = f" {process.pid}  {clean(process.facts.command or '?')}  on GPU {process.gpu_index}"
    return fit_line(((text, "head"),), width, "head")


def pid_title_line(pid: int, facts: ProcessFacts | None, width: int, *, has_gpus: bool) -> Line:
    """Name a process that no card has a row of."""
    command = f"  {clean(facts.command)}" if facts is not None and facts.command else ""
    where = "on no GPU that the driver lists" if has_gpus else "no driver says on which GPU it is"
    return fit_line(((f" {pid}{command}  {where}", "head"),), width, "head")


def host_fact_lines(facts: ProcessFacts, width: int, now_s: float) -> list[Line]:
    """Give what the host alone knows of a process, in two columns where there is room."""
    value = _valued(facts.unavailable)
    pairs = [("user", value(_user(facts), "user")), ("age", value(_age(facts, now_s), "started_at_s"))]
    return _in_columns([*pairs, *_identity(facts, value)], width, 2 if width >= _DENSE_CELLS else 1)


def fact_lines(
    process: GpuProcess, gpu: Gpu | None, width: int, now_s: float, *, dense: bool = False
) -> list[Line]:
    """Give what is known, and the reason beside what is not, in two columns where there is room.

    Args:
        process: the row.
        gpu: its card; None where the sample has none.
        width: cells.
        now_s: when the sample was taken, for its age.
        dense: two columns also where reasons are cut short, for there is more below that one wants to see.
    """
    facts = process.facts
    value = _valued({**facts.unavailable, **process.unavailable})
    total = gpu.memory_total_bytes if gpu is not None else None
    held = process.gpu_memory_bytes
    share = f" ({100 * held / total:.0f}% of the card)" if held is not None and total else ""
    memory = bytes_text(held) + share if held is not None else None
    pairs: list[tuple[str, Span]] = [
        ("GPU memory", value(memory, "gpu_memory_bytes")),
        ("user", value(_user(facts), "user")),
        ("SM", value(_pct(process.sm_pct), "sm_pct")),
        ("age", value(_age(facts, now_s), "started_at_s")),
        ("CPU", value(_pct(process.cpu_pct), "cpu_pct")),
        ("state", value(_STATES.get(process.state or "", process.state), "state")),
        (
            "host memory",
            value(bytes_text(process.rss_bytes) if process.rss_bytes is not None else None, "rss_bytes"),
        ),
        ("type", (_TYPES.get(process.type, process.type), "")),
        *_identity(facts, value),
        *_figures(process),
    ]
    return _in_columns(pairs, width, 2 if width >= (_DENSE_CELLS if dense else 100) else 1)


def _valued(why: Mapping[str, str]) -> Callable[[str | None, str], Span]:
    """Give what draws a value, or the reason beside it when there is none."""

    def value(text: str | None, name: str) -> Span:
        if text is not None:
            return clean(text), ""
        return f"– {clean(why[name])}" if name in why else "–", "dim"

    return value


def _user(facts: ProcessFacts) -> str | None:
    return None if facts.user is None else f"{facts.user} ({facts.uid})"


def _age(facts: ProcessFacts, now_s: float) -> str | None:
    return None if facts.started_at_s is None else duration_text(now_s - facts.started_at_s)


def _identity(facts: ProcessFacts, value: Callable[[str | None, str], Span]) -> list[tuple[str, Span]]:
    """List who it is in its job, and what plugins know of it."""
    rank = None if facts.rank is None else f"{facts.rank} of {facts.world_size or '?'}"
    return [
        ("framework", value(facts.framework, "framework")),
        ("container", value(facts.container, "container")),
        ("model", value(facts.model, "model")),
        ("rank", value(rank, "rank")),
        ("job", value(facts.job, "job")),
        *((clean(name), (clean(text), "")) for name, text in facts.labels.items()),
    ]


def _figures(process: GpuProcess) -> list[tuple[str, Span]]:
    """List what it tells of itself, or why it does not."""
    return [
        (
            clean(figure_name(one.name)),
            (figure_text(one), "") if one.why is None else (f"– {clean(one.why)}", "dim"),
        )
        for one in process.figures
    ]


def _in_columns(pairs: Sequence[tuple[str, Span]], width: int, columns: int) -> list[Line]:
    column = width // columns
    lines: list[Line] = []
    for start in range(0, len(pairs), columns):
        spans: list[Span] = []
        for name, (text, role) in pairs[start : start + columns]:
            spans += [(fit(f" {name}", 14), "label"), (fit(text, max(0, column - 14)), role)]
        lines.append(fit_line(tuple(spans), width))
    return lines


def graph_lines(
    history: ProcessHistory | None, gpu: Gpu | None, width: int, step_s: float, steps: int
) -> list[Line]:
    """Draw GPU memory, SM, host CPU and host memory over the recent past, two by two."""
    if history is None:
        return [fit_line(((" no history yet", "dim"),), width)]
    total = float(gpu.memory_total_bytes) if gpu is not None and gpu.memory_total_bytes else 0.0
    half = (width - 3) // 2
    plots = (
        ("GPU memory", history.gpu_memory_bytes, total, bytes_text, "graph.memory"),
        ("SM", history.sm_pct, 100.0, _pct_text, "graph.gpu"),
        ("host CPU", history.cpu_pct, 100.0, _pct_text, "graph.host"),
        ("host memory", history.rss_bytes, 0.0, bytes_text, "graph.power"),
    )
    drawn = []
    for name, values, ceiling, text, role in plots:
        known = [item for item in values if item is not None]
        high = max([ceiling, *known]) if ceiling or known else 1.0
        now = text(known[-1]) if known else "–"
        peak = text(max(known)) if known else "–"
        head = f" {name} {now}"
        for more in (f"  peak {peak}", f"  {duration_text(half * 2 * step_s)}", f"  top {text(high)}"):
            head += more if cells(head + more) < half else ""
        head = fit(head, half)
        rows = graph_rows(values, half, GRAPH_ROWS, high, steps)
        drawn.append([(head, "label"), *((row, role) for row in rows)])
    lines = []
    for left, right in ((drawn[0], drawn[1]), (drawn[2], drawn[3])):
        lines += [fit_line((a, ("   ", ""), b), width) for a, b in zip(left, right, strict=True)]
    return lines


def command_lines(facts: ProcessFacts, width: int) -> list[Line]:
    """Give the whole command line, wrapped."""
    text = clean(" ".join(facts.cmdline)) or clean(facts.unavailable.get("cmdline", "–"))
    return [heading("command line", width), *wrapped(text, width)]


def detail_lines(detail: ProcessDetail | None, width: int) -> list[Line]:
    """Give the ancestors and the environment."""
    if detail is None:
        return [fit_line(((" reading …", "dim"),), width)]
    lines: list[Line] = []
    if detail.ancestors:
        lines.append(heading("started by", width))
        lines += [
            fit_line(((f" {pid:>8} ", "label"), (clean(name), "")), width) for pid, name in detail.ancestors
        ]
    if detail.libraries:
        lines += [heading("libraries", width), *wrapped(", ".join(map(clean, detail.libraries)), width)]
    lines.append(heading("environment (values that look secret are redacted)", width))
    if detail.environment is None:
        lines.append(
            fit_line(((f" – {clean(detail.unavailable.get('environment', 'not readable'))}", "dim"),), width)
        )
        return lines
    return lines + environment_lines(detail.environment, width)


def environment_lines(environment: Sequence[tuple[str, str]], width: int) -> list[Line]:
    """Give the variables in the order of their names, each on one line."""
    return [
        fit_line(((f" {clean(name)}", "title"), ("=", "dim"), (clean(value), "")), width)
        for name, value in sorted(environment)
    ]


def heading(text: str, width: int) -> Line:
    """A title over a part."""
    return fit_line(((f" {text}", "group"),), width)


def unavailable_lines(unavailable: Mapping[str, str], width: int) -> list[Line]:
    """Give what a card does not say, with the reasons."""
    return [
        fit_line(((fit(f" {clean(name)}", 28), "label"), (clean(reason), "dim")), width)
        for name, reason in sorted(unavailable.items())
    ]


def wrapped(text: str, width: int, role: str = "") -> list[Line]:
    """Give a text of one paragraph as lines."""
    rows = textwrap.wrap(clean(text), max(10, width - 2), break_long_words=True) or [""]
    return [fit_line(((f" {row}", role),), width) for row in rows]


def _pct(value: float | None) -> str | None:
    return None if value is None else f"{value:.0f}%"


def _pct_text(value: float) -> str:
    return f"{percent_text(value)}%"

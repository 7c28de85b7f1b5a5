"""The ranks of a job side by side, and the one that is not like the others."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from dstop.draw.line import clean, fit, fit_line
from dstop.model.peers import LEAST_RANKS, due_bytes, is_odd
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.draw.line import Line, Span
    from dstop.model.process import GpuProcess, ProcessFacts, ProcessKey

_TITLES = (
    ("RANK", 5), ("GPU", 4), ("PID", 8), ("ALLOC", 7), ("RESERVED", 9), ("CACHED", 7), ("SPLIT", 6), ("PEAK", 7),
    ("RETRIES", 8), ("OOMS", 5),
)  # fmt: skip


def ranks_of(processes: Sequence[GpuProcess], facts: ProcessFacts) -> list[GpuProcess]:
    """Give the rows of the same job, in the order of their ranks, then of their cards."""
    if facts.job is None:
        return []
    rows = [row for row in processes if row.facts.job == facts.job]
    return sorted(
        rows, key=lambda row: (row.facts.rank if row.facts.rank is not None else 1 << 30, row.gpu_index)
    )


def odd_ones(rows: Sequence[GpuProcess]) -> Mapping[ProcessKey, str]:
    """Name, for each figure, the rank farthest from the median, where that is far; with what is odd about it.

    What a rank's own stage of the model should take more than its peers' is taken off first.
    """
    found: dict[ProcessKey, str] = {}
    due = due_bytes(rows)
    for name, amounts in (
        ("allocated", [(row, row.allocator.allocated_bytes) for row in rows if row.allocator is not None]),
        ("reserved", [(row, row.allocator.reserved_bytes) for row in rows if row.allocator is not None]),
    ):
        known = [(row, amount - due[row.key]) for row, amount in amounts if amount is not None]
        if len(known) < LEAST_RANKS:
            continue
        middle = median(amount for _, amount in known)
        row, amount = max(known, key=lambda pair: abs(pair[1] - middle))
        off = amount - middle
        if is_odd(off, middle):
            text = f"{name} {bytes_text(abs(off))} {'above' if off > 0 else 'below'} the median"
            found[row.key] = f"{found[row.key]}, {text}" if row.key in found else text
    return found


def rank_lines(rows: Sequence[GpuProcess], facts: ProcessFacts, width: int) -> list[Line]:
    """Draw a table of the ranks; the odd one is named under it."""
    if facts.job is None:
        return [fit_line(((" this process is not one of several ranks", "dim"),), width)]
    odd = odd_ones(rows)
    lines = [_header(width), *(_row(row, width, odd=row.key in odd) for row in rows)]
    for row in rows:
        if row.key in odd:
            rank = "?" if row.facts.rank is None else row.facts.rank
            lines.append(fit_line(((f" * rank {rank}: {odd[row.key]}", "warn"),), width))
    without = sum(row.allocator is None for row in rows)
    if without:
        text = f" {without} of {len(rows)} have no hook (press A on their screens)"
        lines.append(fit_line(((text, "dim"),), width))
    missing = _missing(rows)
    if missing:
        lines.append(fit_line(((f" {missing}", "dim"),), width))
    return lines


def _missing(rows: Sequence[GpuProcess]) -> str:
    world = max((row.facts.world_size or 0 for row in rows), default=0)
    here = len({row.facts.rank for row in rows if row.facts.rank is not None})
    return (
        f"{world - here} of {world} ranks are not on this machine, or have ended" if 0 < here < world else ""
    )


def _header(width: int) -> Line:
    return fit_line(tuple((fit(title, size, right=True), "head") for title, size in _TITLES), width, "head")


def _row(row: GpuProcess, width: int, *, odd: bool) -> Line:
    inside = row.allocator
    texts = [
        ("*" if odd else "") + ("?" if row.facts.rank is None else str(row.facts.rank)),
        str(row.gpu_index),
        str(row.pid),
    ]
    role = "warn" if odd else ""
    if inside is None:
        texts += ["–"] * (len(_TITLES) - len(texts))
        role = role or "dim"
        retries = ooms = None
    else:
        retries, ooms = inside.num_alloc_retries, inside.num_ooms
        texts += [
            bytes_text(inside.allocated_bytes),
            bytes_text(inside.reserved_bytes),
            bytes_text(inside.cached_bytes),
            bytes_text(inside.inactive_split_bytes),
            bytes_text(inside.peak_reserved_bytes),
            "–" if retries is None else str(retries),
            "–" if ooms is None else str(ooms),
        ]
    alarms = {"RETRIES": retries, "OOMS": ooms}
    spans: list[Span] = [
        (fit(text, size, right=True), "bad" if alarms.get(title) else role)
        for text, (title, size) in zip(texts, _TITLES, strict=True)
    ]
    return fit_line((*spans, (f"  {clean(row.facts.command or '')}", "dim")), width)

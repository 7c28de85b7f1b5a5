"""The text of each cell of the process table; what is not known is a dash: the details say why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.units import bytes_text, duration_text, percent_text
from dstop.view.order import allocated_bytes, cached_bytes, excess_bytes, expected_bytes
from dstop.view.rows import AncestorRow, GroupRow, ProcessRow, UnattributedRow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dstop.model.gpu import Gpu
    from dstop.model.process import GpuProcess, ProcessFacts
    from dstop.view.columns import Column
    from dstop.view.rows import Row

UNKNOWN = bytes_text(None)
WIDE = 40
"""From this width on COMMAND shows the whole command line, below it only what to call it."""
_LONGEST = 400
"""Characters of a command line that are made ready to draw: more than any screen is wide."""


def cell(row: Row, column: Column, now_ns: int, gpu: Gpu | None = None) -> str:
    """Give the text of a cell, not padded and not cut, but for a command line that no screen could hold.

    Args:
        row: any line of the table.
        column: one of those that `columns_for` chose.
        now_ns: the moment of the sample, nanoseconds since the epoch, for ages.
        gpu: the card of the row, for the share of it; None where it is not known.
    """
    if isinstance(row, ProcessRow):
        plain = _PROCESS.get(column.name)
        return plain(row.process) if plain is not None else _process(row, column, now_ns, gpu)
    if isinstance(row, GroupRow):
        total = _GROUP.get(column.name)
        return total(row) if total is not None else ""
    if isinstance(row, UnattributedRow):
        return _unattributed(row, column.name, gpu)
    return _ancestor(row, column.name)


def _process(row: ProcessRow, column: Column, now_ns: int, gpu: Gpu | None) -> str:
    """Give the cells that need more than the process."""
    process = row.process
    if column.name == "time":
        started = process.facts.started_at_s
        return UNKNOWN if started is None else duration_text(now_ns / 1e9 - started)
    if column.name == "share":
        return _share(process.gpu_memory_bytes, gpu)
    return row.prefix + command_text(process, column.width - len(row.prefix)) + _folded(row.hidden)


def command_text(process: GpuProcess, width: int) -> str:
    """Say what runs, as fully as the width is worth; if nobody can know, say why."""
    facts = process.facts
    if width >= WIDE and facts.cmdline:
        return _line(facts.cmdline)
    return facts.command or (_line(facts.cmdline) if facts.cmdline else _why(facts))


def _line(cmdline: tuple[str, ...]) -> str:
    """Join a command line, the program without its folder."""
    parts = [cmdline[0].rpartition("/")[2] or cmdline[0]]
    length = len(parts[0])
    for part in cmdline[1:]:
        if length > _LONGEST:
            break
        parts.append(part)
        length += len(part) + 1
    return " ".join(parts)[:_LONGEST]


def _why(facts: ProcessFacts) -> str:
    reasons = facts.unavailable
    reason = reasons.get("command") or reasons.get("cmdline") or reasons.get("started_at_s")
    return f"({reason})" if reason else UNKNOWN


def _folded(hidden: int) -> str:
    return f" [+{hidden}]" if hidden else ""


def _share(count: int | None, gpu: Gpu | None) -> str:
    if count is None or gpu is None or not gpu.memory_total_bytes:
        return UNKNOWN
    return percent_text(100 * count / gpu.memory_total_bytes)


def _rank(process: GpuProcess) -> str:
    facts = process.facts
    if facts.rank is None:
        return ""
    return str(facts.rank) if facts.world_size is None else f"{facts.rank}/{facts.world_size}"


def _slice(process: GpuProcess) -> str:
    if process.gpu_instance_id is None:
        return ""
    instance = process.compute_instance_id
    return str(process.gpu_instance_id) if instance is None else f"{process.gpu_instance_id}:{instance}"


def _user(process: GpuProcess) -> str:
    facts = process.facts
    return facts.user or (UNKNOWN if facts.uid is None else str(facts.uid))


def _excess(process: GpuProcess) -> str:
    """Write it with its sign; within the band it is a nought: a sum of parts is not known to the byte."""
    should, excess = process.expectation, excess_bytes(process)
    if should is None or excess is None:
        return UNKNOWN
    if should.verdict == "within":
        return "ok"
    return f"+{bytes_text(excess)}" if excess > 0 else bytes_text(excess)


_PROCESS: Mapping[str, Callable[[GpuProcess], str]] = {
    "gpu": lambda process: str(process.gpu_index),
    "slice": _slice,
    "pid": lambda process: str(process.pid),
    "user": _user,
    "type": lambda process: process.type,
    "rank": _rank,
    "mem": lambda process: bytes_text(process.gpu_memory_bytes),
    "alloc": lambda process: bytes_text(allocated_bytes(process)),
    "cached": lambda process: bytes_text(cached_bytes(process)),
    "other": lambda process: bytes_text(process.not_torch_bytes),
    "expected": lambda process: bytes_text(expected_bytes(process)),
    "excess": _excess,
    "tier": lambda process: (process.expectation.tier or "") if process.expectation else "",
    "sm": lambda process: percent_text(process.sm_pct),
    "cpu": lambda process: percent_text(process.cpu_pct),
    "rss": lambda process: bytes_text(process.rss_bytes),
    "state": lambda process: process.state or UNKNOWN,
    "container": lambda process: process.facts.container or "",
    "framework": lambda process: process.facts.framework or "",
    "model": lambda process: process.facts.model or "",
}


def _group_command(row: GroupRow) -> str:
    """Say what stands in no column: how many, what is not in the sums, which rank is too heavy."""
    parts = [f"{'+' if row.folded else '-'} {row.label}: {row.count} process{'' if row.count == 1 else 'es'}"]
    if row.unknown:
        parts.append(f"{row.unknown} without a memory figure")
    if row.imbalance_bytes and row.heaviest is not None:
        parts.append(
            f"rank {row.heaviest.facts.rank} is {bytes_text(row.imbalance_bytes)} above the lightest"
        )
    return ", ".join(parts)


def indices_text(indices: tuple[int, ...]) -> str:
    """Write sorted GPU indices short: `0-3`, `0,2`, `0-2,5`."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


_GROUP: Mapping[str, Callable[[GroupRow], str]] = {
    "gpu": lambda row: indices_text(row.gpu_indices),
    "user": lambda row: (row.name if row.kind == "user" else row.owner) or "",
    "rank": lambda row: f"{len(row.ranks)}/{row.world_size}" if row.ranks and row.world_size else "",
    "mem": lambda row: bytes_text(row.gpu_memory_bytes),
    "alloc": lambda row: bytes_text(row.allocated_bytes),
    "cached": lambda row: bytes_text(row.cached_bytes),
    "other": lambda row: bytes_text(row.not_torch_bytes),
    "sm": lambda row: percent_text(row.sm_pct),
    "cpu": lambda row: percent_text(row.cpu_pct),
    "rss": lambda row: bytes_text(row.rss_bytes),
    "command": _group_command,
}


def _unattributed(row: UnattributedRow, name: str, gpu: Gpu | None) -> str:
    match name:
        case "gpu":
            return str(row.unattributed.gpu_index)
        case "mem":
            return bytes_text(row.unattributed.bytes)
        case "share":
            return _share(row.unattributed.bytes, gpu)
        case "command":
            return f"no listed process: {row.unattributed.cause}"
    return ""


def _ancestor(row: AncestorRow, name: str) -> str:
    if name == "pid":
        return str(row.pid)
    return row.prefix + row.command[:_LONGEST] + _folded(row.hidden) if name == "command" else ""

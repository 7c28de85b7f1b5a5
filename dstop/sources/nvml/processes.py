"""Whose memory it is: the driver's three lists of one GPU merged, one row a PID. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dstop.sources.nvml.layouts import Row
    from dstop.sources.nvml.use import Use


class Listed(NamedTuple):
    """One process on one GPU, all that the driver knows of it. Compared to see what changed."""

    pid: int
    type: str
    memory_bytes: int | None
    memory_reason: str | None
    gpu_instance_id: int | None
    compute_instance_id: int | None
    use: Use | None = None
    use_reason: str | None = None


def merge(compute: Iterable[Row], graphics: Iterable[Row], mps: Iterable[Row]) -> dict[int, Listed]:
    """Make one row a PID of the three lists.

    A process that computes and draws is in two lists with the same figure: the larger counts. One that is
    twice in one list has two contexts, as on two MIG instances: these add up.
    """
    merged: dict[int, Listed] = {}
    for kind, rows in (("C", compute), ("G", graphics), ("M", mps)):
        for pid, row in _by_pid(kind, rows).items():
            merged[pid] = row if pid not in merged else _both(merged[pid], row)
    return merged


def _by_pid(kind: str, rows: Iterable[Row]) -> dict[int, Listed]:
    found: dict[int, Listed] = {}
    for row in rows:
        one = Listed(
            row.pid, kind, row.memory_bytes, row.reason, row.gpu_instance_id, row.compute_instance_id
        )
        before = found.get(row.pid)
        if before is None:
            found[row.pid] = one
            continue
        found[row.pid] = _with_memory(before, one, add=True)
    return found


def _both(first: Listed, second: Listed) -> Listed:
    """Merge the rows of one PID from two lists."""
    kinds = {first.type, second.type}
    kind = "M" if "M" in kinds else "C+G"
    return _with_memory(first, second, add=False)._replace(type=kind)


def _with_memory(first: Listed, second: Listed, *, add: bool) -> Listed:
    figures = [figure for figure in (first.memory_bytes, second.memory_bytes) if figure is not None]
    # Half a sum is not a sum.
    total = sum(figures) if len(figures) == 2 else None  # noqa: PLR2004 - both
    known = total if add else max(figures, default=None)
    reason = None if known is not None else first.memory_reason or second.memory_reason
    return first._replace(memory_bytes=known, memory_reason=reason)


def with_use(
    listed: Mapping[int, Listed], used: Mapping[int, Use], fallback: Use | str
) -> tuple[Listed, ...]:
    """Add each process's share of the GPU: its sample, or for all without one `fallback` (or a reason)."""
    silent = (None, fallback) if isinstance(fallback, str) else (fallback, None)
    return tuple(
        row._replace(use=used[pid]) if pid in used else row._replace(use=silent[0], use_reason=silent[1])
        for pid, row in sorted(listed.items())
    )

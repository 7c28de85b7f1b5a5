"""Rows by user or by job: what each comes to, and which rank of a job is heavier than the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.view.order import SORT_KEYS, allocated_bytes, cached_bytes, known_first
from dstop.view.rows import GroupRow, ProcessRow, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence

    from dstop.model.process import GpuProcess
    from dstop.view.rows import GroupKind

Owner = tuple[str | None, str | None]
"""Name and, for a job, the user."""

_TOTALS: Mapping[str, Callable[[GroupRow], float | None]] = {
    "mem": lambda row: row.gpu_memory_bytes,
    "sm": lambda row: row.sm_pct,
    "cpu": lambda row: row.cpu_pct,
    "rss": lambda row: row.rss_bytes,
    "alloc": lambda row: row.allocated_bytes,
    "cached": lambda row: row.cached_bytes,
    "other": lambda row: row.not_torch_bytes,
}
"""Orders in which a group stands by its total and not by its first row."""


def grouped(
    processes: Iterable[GpuProcess],
    kind: GroupKind,
    *,
    sort: str,
    reverse: bool,
    folded: Collection[Hashable],
) -> list[Row]:
    """Gather sorted rows under one line a group; groups whose name is not known come last."""
    members: dict[Owner, list[GpuProcess]] = {}
    for process in processes:
        members.setdefault(_owner(process, kind), []).append(process)
    groups = [(summed(kind, owner, rows, folded), rows) for owner, rows in members.items()]
    total = _TOTALS.get(sort)
    if total is not None:
        largest_first = SORT_KEYS[sort].largest_first != reverse
        groups = known_first(groups, lambda pair: total(pair[0]), largest_first=largest_first)
    groups.sort(key=lambda pair: pair[0].name is None)
    shown: list[Row] = []
    for group, rows in groups:
        shown.append(group)
        if not group.folded:
            shown.extend(ProcessRow(process, depth=1) for process in rows)
    return shown


def _owner(process: GpuProcess, kind: GroupKind) -> Owner:
    facts = process.facts
    user = facts.user if facts.user is not None or facts.uid is None else str(facts.uid)
    if kind == "user":
        return user, None
    return (facts.job, user) if facts.job is not None else (None, None)


def summed(
    kind: GroupKind, owner: Owner, rows: Sequence[GpuProcess], folded: Collection[Hashable] = ()
) -> GroupRow:
    """Add up the rows of one group."""
    name, user = owner
    memory = [row.gpu_memory_bytes for row in rows if row.gpu_memory_bytes is not None]
    once = list({(row.pid, row.facts.started_at_s): row for row in rows}.values())
    heaviest, imbalance = _ranks_apart(rows) if kind == "job" and name is not None else (None, None)
    worlds = [row.facts.world_size for row in rows if row.facts.world_size is not None]
    return GroupRow(
        kind=kind,
        name=name,
        owner=user,
        count=len(once),
        gpu_indices=tuple(sorted({row.gpu_index for row in rows})),
        gpu_memory_bytes=sum(memory) if memory else None,
        unknown=len(rows) - len(memory),
        sm_pct=_total(row.sm_pct for row in rows),
        cpu_pct=_total(row.cpu_pct for row in once),
        rss_bytes=_whole(_total(row.rss_bytes for row in once)),
        allocated_bytes=_whole(_total(map(allocated_bytes, rows))),
        cached_bytes=_whole(_total(map(cached_bytes, rows))),
        not_torch_bytes=_whole(_total(row.not_torch_bytes for row in rows)),
        heaviest=heaviest or _heaviest(rows),
        imbalance_bytes=imbalance,
        ranks=tuple(sorted({row.facts.rank for row in rows if row.facts.rank is not None})),
        world_size=max(worlds, default=None),
        folded=("group", kind, name, user) in folded,
    )


def _total(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _heaviest(rows: Iterable[GpuProcess]) -> GpuProcess | None:
    known = [row for row in rows if row.gpu_memory_bytes is not None]
    return max(known, key=lambda row: row.gpu_memory_bytes or 0, default=None)


def _ranks_apart(rows: Iterable[GpuProcess]) -> tuple[GpuProcess | None, int | None]:
    """Find the heaviest rank's row and how far it is above the lightest rank.

    A rank's memory is that on all its GPUs: the stray context it keeps on GPU 0 is its own. A rank with a row
    without a figure has no sum.
    """
    ranks: dict[int, list[GpuProcess]] = {}
    for row in rows:
        if row.facts.rank is not None:
            ranks.setdefault(row.facts.rank, []).append(row)
    sums = {
        rank: sum(row.gpu_memory_bytes or 0 for row in own)
        for rank, own in ranks.items()
        if all(row.gpu_memory_bytes is not None for row in own)
    }
    if len(sums) < 2:  # noqa: PLR2004 - one rank is not out of balance
        return None, None
    top = max(sums, key=sums.__getitem__)
    return _heaviest(ranks[top]), sums[top] - min(sums.values())

"""The lines of the process table, from a sample and what the user wants to see of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value
from dstop.view.group import grouped
from dstop.view.only import narrow
from dstop.view.order import SORT_KEYS, known_first, sort_rows
from dstop.view.rows import ProcessRow, Row, UnattributedRow
from dstop.view.tree import tree

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from dstop.model.process import GpuProcess
    from dstop.model.sample import Sample
    from dstop.model.unattributed import Unattributed
    from dstop.view.filter import Filter
    from dstop.view.rows import GroupKind


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class View(Value):
    """What the user asked the table to be. `group` wins over `tree`."""

    sort: str = "gpu"
    reverse: bool = False
    filter: Filter | None = None
    group: GroupKind | None = None
    tree: bool = False
    gpu_index: int | None = None
    """The one GPU whose rows are shown; None shows all."""
    pids: frozenset[int] = frozenset()
    users: frozenset[str] = frozenset()
    show_unattributed: bool = True
    columns: tuple[str, ...] = ()
    """Names of the columns, in order; empty for what fits."""
    folded: frozenset[Hashable] = frozenset()
    """Keys of rows whose members or children are not shown."""


def arrange(
    sample: Sample, view: View, ancestors: Mapping[int, tuple[int | None, str]] | None = None
) -> tuple[Row, ...]:
    """Give the lines of the table, in order.

    `ancestors` (PID -> parent's PID, command) are the processes a tree may name that are on no GPU.

    Raises:
        KeyError: when `view.sort` is none of `SORT_KEYS`.
    """
    focus = None if view.gpu_index is None else (view.gpu_index,)
    shown = narrow(sample, gpu_indices=focus, users=view.users, pids=view.pids, filter=view.filter)
    processes = sort_rows(shown.processes, view.sort, view.reverse)
    nobodys = shown.unattributed if view.show_unattributed else ()
    if view.group is not None:
        rows = grouped(processes, view.group, sort=view.sort, reverse=view.reverse, folded=view.folded)
        return (*rows, *_by_size(nobodys))
    if view.tree:
        return (*tree(processes, ancestors or {}, view.folded), *_by_size(nobodys))
    return tuple(_merged([ProcessRow(process) for process in processes], _by_size(nobodys), view))


def _by_size(nobodys: tuple[Unattributed, ...]) -> list[UnattributedRow]:
    by_gpu = sorted(nobodys, key=lambda row: row.gpu_index)
    return [UnattributedRow(row) for row in known_first(by_gpu, lambda row: row.bytes, largest_first=True)]


def _merged(rows: list[ProcessRow], nobodys: list[UnattributedRow], view: View) -> list[Row]:
    """Put memory that is nobody's after its GPU's rows, among others of its size, or at the end."""
    both: list[Row] = [*rows, *nobodys]
    if not nobodys or view.sort not in {"gpu", "mem"}:
        return both
    value = _gpu_of if view.sort == "gpu" else _bytes_of
    return known_first(both, value, largest_first=SORT_KEYS[view.sort].largest_first != view.reverse)


def _gpu_of(row: Row) -> int | None:
    if isinstance(row, ProcessRow):
        return row.process.gpu_index
    return row.unattributed.gpu_index if isinstance(row, UnattributedRow) else None


def _bytes_of(row: Row) -> int | None:
    if isinstance(row, ProcessRow):
        return row.process.gpu_memory_bytes
    return row.unattributed.bytes if isinstance(row, UnattributedRow) else None


def processes_of(rows: tuple[Row, ...]) -> tuple[GpuProcess, ...]:
    """Give the processes among the rows, in order."""
    return tuple(row.process for row in rows if isinstance(row, ProcessRow))

"""Rows under the processes that started them: shells and launchers that are on no GPU are shown for it.

Parents come from the host and may be lies: a circle, a chain of a million. Each PID is placed once, so
neither matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.view.rows import AncestorRow, ProcessRow, Row

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Mapping

    from dstop.model.process import GpuProcess

DEEPEST = 16
"""Levels that are drawn further in; what is deeper stands at this depth."""
FURTHEST = 64
"""Ancestors that are followed up from one process."""


class _Forest:
    """Which PID stands under which, in the order of the rows."""

    def __init__(
        self, processes: Iterable[GpuProcess], ancestors: Mapping[int, tuple[int | None, str]]
    ) -> None:
        self.rows: dict[int, list[GpuProcess]] = {}
        for process in processes:
            self.rows.setdefault(process.pid, []).append(process)
        self.ancestors = ancestors
        self.children: dict[int | None, list[int]] = {None: []}
        self._placed: set[int] = set()
        for pid in self.rows:
            self._place(pid)

    def _parent(self, pid: int) -> int | None:
        """Give the parent if it can be shown; PID 1 is everyone's, and says nothing."""
        own = self.rows.get(pid)
        parent = own[0].facts.ppid if own else self.ancestors[pid][0]
        return parent if parent in self.rows or (parent in self.ancestors and (parent or 0) > 1) else None

    def _place(self, pid: int) -> None:
        chain: list[int] = []
        at: int | None = pid
        while at is not None and at not in self._placed and len(chain) < FURTHEST:
            self._placed.add(at)
            chain.append(at)
            at = self._parent(at)
        if at in chain or at not in self._placed:
            at = None  # a circle, a chain without end, or the top
        for child in reversed(chain):
            self.children.setdefault(at, []).append(child)
            at = child

    def lines(self, pid: int) -> int:
        """Count the rows beneath a PID."""
        count, todo = 0, list(self.children.get(pid, ()))
        while todo:
            child = todo.pop()
            count += len(self.rows.get(child, ())) or 1
            todo.extend(self.children.get(child, ()))
        return count


def tree(
    processes: Iterable[GpuProcess],
    ancestors: Mapping[int, tuple[int | None, str]],
    folded: Collection[Hashable] = (),
) -> list[Row]:
    """Lay sorted rows out as a tree; brothers stand in the order of the first row beneath them.

    Args:
        processes: the rows, in order.
        ancestors: PID -> (its parent's PID, its command), for processes that are on no GPU.
        folded: keys of rows whose children are not shown.
    """
    forest = _Forest(processes, ancestors)
    shown: list[Row] = []
    todo = [(pid, 0, "", True) for pid in reversed(forest.children[None])]
    while todo:
        pid, depth, stem, last = todo.pop()
        children = forest.children.get(pid, [])
        rows = _rows(forest, pid, depth, stem, last=last)
        if children and any(row.key in folded for row in rows):
            rows[0] = _with_hidden(rows[0], forest.lines(pid))
            children = []
        shown.extend(rows)
        below = stem if depth == 0 or depth > DEEPEST else stem + ("   " if last else "│  ")
        todo.extend((child, depth + 1, below, child == children[-1]) for child in reversed(children))
    return shown


def _rows(forest: _Forest, pid: int, depth: int, stem: str, *, last: bool) -> list[ProcessRow | AncestorRow]:
    """Draw one PID: as many rows as it has GPUs, or one if it is on none."""
    own = forest.rows.get(pid)
    end = "" if depth == 0 else stem + ("└─ " if last else "├─ ")
    if own is None:
        return [AncestorRow(pid, forest.ancestors[pid][1], depth, end)]
    inner = "" if depth == 0 else stem + "├─ "
    prefixes = [inner] * (len(own) - 1) + [end]
    return [ProcessRow(process, depth, prefix) for process, prefix in zip(own, prefixes, strict=True)]


def _with_hidden(row: ProcessRow | AncestorRow, hidden: int) -> ProcessRow | AncestorRow:
    if isinstance(row, ProcessRow):
        return ProcessRow(row.process, row.depth, row.prefix, hidden)
    return AncestorRow(row.pid, row.command, row.depth, row.prefix, hidden)

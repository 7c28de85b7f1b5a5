"""What a key does to the view: from one View to the next."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.view.order import SORT_KEYS
from dstop.view.rows import GroupRow, ProcessRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.view.arrange import View
    from dstop.view.columns import Column
    from dstop.view.rows import GroupKind, Row


def sorted_by(view: View, key: str) -> View:
    """Order by a column; the same column again turns the order round."""
    return replace(view, sort=key, reverse=not view.reverse if key == view.sort else False)


def sorted_by_next(view: View, columns: Sequence[Column], step: int) -> View:
    """Order by the column to the left or right of the present one, among those on the screen."""
    keys = [column.sort_key for column in columns if column.sort_key is not None]
    keys = list(dict.fromkeys(keys)) or list(SORT_KEYS)  # two columns may have one order
    place = keys.index(view.sort) if view.sort in keys else 0
    return replace(view, sort=keys[(place + step) % len(keys)], reverse=False)


def turned(view: View) -> View:
    """Turn the order round."""
    return replace(view, reverse=not view.reverse)


def as_tree(view: View) -> View:
    """Show processes under their parents, or stop to."""
    return replace(view, tree=not view.tree, group=None)


def grouped_by(view: View, kind: GroupKind) -> View:
    """Sum by user or by job, or stop to."""
    return replace(view, group=None if view.group == kind else kind, tree=False)


def folded(view: View, row: Row | None) -> View:
    """Fold or unfold a group, or a branch of the tree."""
    if row is None or not (isinstance(row, GroupRow) or view.tree):
        return view
    return replace(view, folded=view.folded ^ {row.key})


def group_of(rows: Sequence[Row], place: int) -> int:
    """Give the place of the group that a row is a member of; of a row that is in none, its own."""
    return next((y for y in range(place, -1, -1) if isinstance(rows[y], GroupRow)), place)


def focused(view: View, gpu_index: int | None) -> View:
    """Show one GPU's rows alone; the same GPU again, or None, shows all."""
    return replace(view, gpu_index=None if gpu_index == view.gpu_index else gpu_index)


def of_user(view: View, row: Row | None) -> View:
    """Show only the user of a row; again, or a row of nobody known, shows all."""
    user = None
    if isinstance(row, ProcessRow):
        user = row.process.facts.user
    elif isinstance(row, GroupRow):
        user = row.name if row.kind == "user" else row.owner
    return replace(view, users=frozenset() if view.users or user is None else frozenset({user}))


def widened(view: View) -> View:
    """Undo one kind of narrowing: first filter and focus, then groups and tree; the same view when there is none."""
    if view.filter or view.users or view.gpu_index is not None:
        return replace(view, filter=None, users=frozenset(), gpu_index=None)
    if view.group is not None or view.tree:
        return replace(view, group=None, tree=False)
    return view

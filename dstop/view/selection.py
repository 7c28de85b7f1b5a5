"""Where the cursor stands and what is tagged, by the rows' keys: both stay with their rows as these move."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Selection(Value):
    """The cursor's row, by key and place, and the tagged rows."""

    key: Hashable | None = None
    """None while there are no rows, or before the first."""
    index: int = 0
    tags: frozenset[Hashable] = frozenset()


def follow(selection: Selection, keys: Sequence[Hashable]) -> Selection:
    """Find the cursor's row among new rows; if it is gone, stay at its place.

    Tags of rows that are not there are dropped: a signal must never reach what the user no longer sees.
    """
    tags = selection.tags & frozenset(keys) if selection.tags else selection.tags
    if not keys:
        return Selection(index=selection.index, tags=tags)
    index = min(max(selection.index, 0), len(keys) - 1)
    if selection.key is not None and keys[index] != selection.key:
        index = _find(keys, selection.key, index)
    return Selection(key=keys[index], index=index, tags=tags)


def _find(keys: Sequence[Hashable], key: Hashable, otherwise: int) -> int:
    try:
        return keys.index(key)
    except ValueError:
        return otherwise


def move(selection: Selection, keys: Sequence[Hashable], by: int) -> Selection:
    """Go `by` rows down, or up where it is negative (a page is its number of rows), not past an end."""
    here = follow(selection, keys)
    return at(here, keys, here.index + by)


def at(selection: Selection, keys: Sequence[Hashable], index: int) -> Selection:
    """Go to the row at a place, or to the nearest there is."""
    if not keys:
        return follow(selection, keys)
    index = min(max(index, 0), len(keys) - 1)
    return replace(follow(selection, keys), key=keys[index], index=index)


def home(selection: Selection, keys: Sequence[Hashable]) -> Selection:
    """Go to the first row."""
    return at(selection, keys, 0)


def end(selection: Selection, keys: Sequence[Hashable]) -> Selection:
    """Go to the last row."""
    return at(selection, keys, len(keys) - 1)


def toggle(selection: Selection, key: Hashable | None = None) -> Selection:
    """Tag a row, or take its tag away; without a key, the cursor's."""
    key = selection.key if key is None else key
    return selection if key is None else replace(selection, tags=selection.tags ^ {key})


def untag(selection: Selection) -> Selection:
    """Take all tags away."""
    return replace(selection, tags=frozenset())

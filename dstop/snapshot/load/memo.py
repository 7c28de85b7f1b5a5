"""What a pickle may refer back to, by number.

An event that went straight into columns left no objects, but took numbers: for each such event the number of its first
object is kept, from which the others follow. That is eight bytes an event instead of five objects.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import numpy as np

from dstop.errors import SnapshotError
from dstop.snapshot.load.columns import StackNumber
from dstop.snapshot.load.parse import Run
from dstop.snapshot.values import NO_STACK

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from dstop.snapshot.load.columns import Events

MOST_OBJECTS = 40_000_000
"""Numbered one by one, and kept: frames and blocks. Events in columns do not count."""
LIST = "stack"
"""The slot of an event's list of frames."""


class Memo:
    """Numbers to objects."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._objects: dict[int, object] = {}
        self.known: Callable[[int], object | None] = self._objects.get
        """Gives the object of a number if it was kept as one."""
        self.count = 0
        """The next number, where the pickle does not write it (MEMOIZE)."""
        self._newest = -1
        self.layouts: list[tuple[str, ...]] = []
        """For each kind of event in columns: what its numbers stand for, in order."""
        self._first, self._row, self._layout = array("q"), array("q"), array("b")

    def put(self, number: int, value: object) -> None:
        """Number an object as the pickle says.

        Raises:
            SnapshotError: when there are too many.
        """
        self._objects[number] = value
        self._newest = number
        self.count += 1
        if len(self._objects) > MOST_OBJECTS:
            raise SnapshotError(
                "it holds too many objects", fix="record fewer events (max_entries), and dump again"
            )

    def memoize(self, value: object) -> None:
        """Number an object as the next one."""
        self.put(self.count, value)

    def replace(self, old: object, new: object) -> None:
        """Put something else behind the newest number, if this is what it stands for."""
        if self._objects.get(self._newest) is old:
            self._objects[self._newest] = new

    def get(self, number: int) -> object:
        """Give the object of a number.

        Raises:
            SnapshotError: when nothing has that number.
        """
        try:
            return self._objects[number]
        except KeyError:
            return self._in_columns(number)

    def skip(self, first: NDArray[np.int64], count: int, *, row: int, layout: NDArray[np.int64]) -> None:
        """Take note of events that went into columns, from this row on.

        Args:
            first: the number of the first object of each.
            count: how many numbers all their objects took.
            row: of the first of them.
            layout: of each, into `layouts`.
        """
        rows = np.arange(row, row + len(first), dtype=np.int64)
        numbered = np.array([bool(slots) for slots in self.layouts], bool)[layout]
        if not numbered.all():
            first, rows, layout = first[numbered], rows[numbered], layout[numbered]
        self._first.frombytes(first.tobytes())
        self._row.frombytes(rows.tobytes())
        self._layout.frombytes(layout.astype(np.int8).tobytes())
        self.count += count

    def _in_columns(self, number: int) -> object:
        at = (
            int(np.searchsorted(np.frombuffer(self._first, np.int64), number, "right")) - 1
            if self._first
            else -1
        )
        if at >= 0:
            slots = self.layouts[self._layout[at]]
            offset, row = number - self._first[at], self._row[at]
            if offset < len(slots):
                return self._value(slots[offset], row)
        raise SnapshotError(f"it refers to an object (number {number}) that it has not written", fix=DAMAGED)

    def _value(self, slot: str, row: int) -> object:
        if slot == "event":
            return Run((row, row + 1))
        if slot not in self._events.columns:
            return None  # A value that no column keeps.
        value = self._events.columns[slot][row]
        if slot == LIST:
            return StackNumber(value)
        if slot == "pool":
            return self._events.pools.done()[value] if value >= 0 else None
        return self._events.texts.done()[value]

    def stacks(self, numbers: NDArray[np.int64]) -> NDArray[np.int32]:
        """Give the stacks behind many numbers at once; what is no list of frames in columns has the empty stack."""
        if not self._first:
            return np.full(len(numbers), NO_STACK, np.int32)
        first = np.frombuffer(self._first, np.int64)
        at = np.searchsorted(first, numbers, "right") - 1
        places = np.array([slots.index(LIST) if LIST in slots else -1 for slots in self.layouts], np.int64)
        layout = np.frombuffer(self._layout, np.int8)[at]
        right = (at >= 0) & (numbers - first[at] == places[layout])
        rows = np.frombuffer(self._row, np.int64)[at]
        stack = np.frombuffer(self._events.columns[LIST], np.int32)
        return np.where(right, stack[rows], np.int32(NO_STACK)).astype(np.int32)


DAMAGED = "dump it again: the file is damaged, or was made to harm"

"""The fast lane: runs of events that look like one already seen go from bytes to columns without becoming objects."""

from __future__ import annotations

import re
from array import array
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from dstop.errors import SnapshotError
from dstop.snapshot.load.columns import LARGEST, LIMITS, StackNumber
from dstop.snapshot.load.decode import Numbers, Wholes, number_of, numbers_of, text_of, whole_of
from dstop.snapshot.load.layout import FIRST, FRAME, FRAMES, GET, NUMBER, REFERENCE, layouts_of
from dstop.snapshot.load.parse import Run
from dstop.snapshot.values import ACTION_NAMES, NO_STACK, Action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dstop.snapshot.load.columns import Events
    from dstop.snapshot.load.layout import Layout
    from dstop.snapshot.load.memo import Memo
    from dstop.snapshot.load.source import Source

MOST_LAYOUTS = 48
MOST_EVENTS = 20_000_000
"""In columns they are a gigabyte; torch keeps as many as it was told, a hundred thousand or a million as a rule."""
MOST_TRIES = 256
"""To learn something new from events in a row: most that the machine reads are familiar, and cut by a pickle frame."""
LONGEST_EVENT_BYTES = 1 << 16
"""An event that would not fit before the window's end is looked at again after more was read."""
LEAST_LOOK_BYTES, MOST_LOOK_BYTES = 1 << 12, 1 << 19
"""How far ahead events of one kind are looked for; it is in vain behind one of another kind."""
_FRAMES = re.compile(rb"(?:%s)++" % GET, re.DOTALL)
_gets = re.compile(GET, re.DOTALL).findall
_GETS = frozenset({b"h", b"j"})
_PENDING = -2
Fields: TypeAlias = dict[str, list[Any]]
"""Group -> of each event its bytes, or None where the group took no part."""
_READ = ("action", "pool", "compiled", "note")


class Lane:
    """Reads what it has learned, and leaves the rest to the machine."""

    def __init__(self, source: Source, events: Events, memo: Memo) -> None:
        self._source, self._events, self._memo = source, events, memo
        self._layouts: list[Layout] = []
        self._patterns: set[bytes] = set()
        self._tries = MOST_TRIES
        self._look = LEAST_LOOK_BYTES
        self._stacks = Numbers(self._stack)
        """Bytes of a list of frames -> number of the stack; None where there is no such list."""
        self._stacks[None] = NO_STACK
        self._places = Numbers(self._place)
        self._wholes = Wholes()
        self._readers = {name: self._reader(name) for name in _READ}

    # -- Learning -------------------------------------------------------------------------------------------------

    def learn(self, begin: int) -> None:
        """Learn from an event that the machine has just read, which began at this place of the file."""
        source = self._source
        if begin < source.before or len(self._layouts) >= MOST_LAYOUTS or not self._tries:
            return
        self._tries -= 1
        raw = source.buf[begin - source.before : source.pos]
        if len(raw) > LONGEST_EVENT_BYTES:
            return
        for layout in layouts_of(raw, self._object):
            if layout.pattern not in self._patterns:
                self._patterns.add(layout.pattern)
                self._layouts.append(layout)
                self._memo.layouts.append(layout.slots)
                self._tries = MOST_TRIES

    def _object(self, raw: bytes) -> object:
        return self._memo.get(number_of(raw))

    # -- Running --------------------------------------------------------------------------------------------------

    def run(self) -> Run | None:
        """Read as many events as look familiar, and give their rows; None where the next thing does not.

        They must be what is being added to a list, batch by batch, and nothing else.

        Raises:
            SnapshotError: when there are more events than are read.
        """
        if not self._layouts:
            return None
        first = len(self._events)
        while self._batch():
            self.bound()
        last = len(self._events)
        return Run((first, last)) if last > first else None

    def bound(self) -> None:
        """Say when there are more events than are read, by whomever.

        Raises:
            SnapshotError: then.
        """
        if len(self._events) > MOST_EVENTS:
            raise SnapshotError(
                f"it has more than {MOST_EVENTS} events", fix="record fewer (max_entries), and dump again"
            )

    def _batch(self) -> bool:
        """Read events of one kind that follow each other; say whether there were any."""
        source = self._source
        if len(source.buf) - source.pos < LONGEST_EVENT_BYTES:
            source.more()
        buf, pos = source.buf, source.pos
        kind = next((number for number, each in enumerate(self._layouts) if each.match(buf, pos)), None)
        if kind is None:
            return False
        layout, piece = self._layouts[kind], buf[pos : pos + self._look]
        parts = layout.split(piece)
        width = len(layout.fields) + 1
        between = parts[::width]
        count = found = len(between) - 1
        if any(between[:-1]):
            count = next(index for index, gap in enumerate(between) if gap)
        fields = {name: parts[at : count * width : width] for at, name in enumerate(layout.fields, 1)}
        taken = self._take(kind, layout, fields, count)
        if taken == found:
            self._look = min(self._look * 2, MOST_LOOK_BYTES)
            source.pos += len(piece) - len(between[-1])
        else:
            self._look = max(self._look // 4, LEAST_LOOK_BYTES)
            source.pos += (
                next((each.end() for each in islice(layout.each(piece), taken - 1, None)), 0) if taken else 0
            )
        return taken > 0

    def _take(self, kind: int, layout: Layout, fields: Fields, count: int) -> int:
        """Put events into columns, and say how many: all before the first whose frames are none."""
        if not count:
            return 0
        frames = fields.get(FRAMES, [])
        if FRAMES in fields and any(single := fields[FRAME]):
            frames = [one or many for one, many in zip(single, frames, strict=True)]
        stack = np.fromiter(map(self._stacks.__getitem__, frames), np.int32, len(frames))
        if len(stack) and int(stack.min()) < NO_STACK:
            good = int(np.argmax(stack < NO_STACK))
            return self._take(kind, layout, {name: column[:good] for name, column in fields.items()}, good)
        row = len(self._events)
        for name, column in self._events.columns.items():
            if name != "stack":
                column.frombytes(self._column(name, layout, fields, count))
            else:
                column.frombytes(stack.tobytes() if len(stack) else bytes(stack.itemsize * count))
        kinds = np.full(count, kind, np.int64)
        refers = _present(fields.get(REFERENCE, [None] * count))
        first, taken = self._numbers(kinds, refers)
        if FIRST in fields:
            first = np.fromiter(map(number_of, fields[FIRST]), np.int64, count)
        self._memo.skip(first, taken, row=row, layout=kinds)
        for raw, number in zip(fields.get(NUMBER, ()), stack.tolist(), strict=False):
            if raw:
                self._memo.put(number_of(raw), StackNumber(number))
        self._refer(
            np.flatnonzero(refers), numbers_of([each for each in fields.get(REFERENCE, ()) if each]), row
        )
        for name in _READ:
            self._settle(name, fields.get(name) or (layout.constants.get(name, b""),) * count, row)
        return count

    def _column(self, name: str, layout: Layout, fields: Fields, count: int) -> bytes:
        """Give one column of these events, as the bytes of an array."""
        raw = fields.get(name)
        if name not in self._readers:
            if raw is not None:
                numbers = self._wholes.column(raw)
                return np.where(numbers <= LIMITS.get(name, LARGEST), numbers, 0).tobytes()
            one = array("q", [whole_of(layout.constants.get(name, b""))])
        else:
            reader, code = self._readers[name], self._events.columns[name].typecode
            if raw is not None:
                return array(code, map(reader.__getitem__, raw)).tobytes()
            one = array(code, [reader[layout.constants.get(name, b"")]])
        return one.tobytes() * count

    def _numbers(self, kinds: NDArray[np.int64], refers: NDArray[np.bool_]) -> tuple[NDArray[np.int64], int]:
        """Give the numbers that the first objects of these events took, and how many numbers all of theirs took.

        Args:
            kinds: of each, into the layouts.
            refers: which have no list of their own.
        """
        lists = np.array(["stack" in layout.slots for layout in self._layouts], bool)
        taken = np.array([len(layout.slots) for layout in self._layouts], np.int64)[kinds] - (
            lists[kinds] & refers
        )
        return np.cumsum(taken) - taken + self._memo.count, int(taken.sum())

    def _refer(self, at: NDArray[np.int64], numbers: NDArray[np.int64], row: int) -> None:
        """Find the stacks of events that refer to lists written before.

        Args:
            at: which of the newest events, counted from `row`.
            numbers: of the list of each of these.
            row: of the first of the newest events.
        """
        if not len(at):
            return
        stacks = self._memo.stacks(numbers)
        for index, each in enumerate(map(self._memo.known, numbers.tolist())):
            if each is not None:
                stacks[index] = self._events.stacks.frames(each)
        # A view of the column, gone before the column grows.
        np.frombuffer(self._events.columns["stack"], np.int32)[row:][at] = stacks

    def _settle(self, name: str, raw: Sequence[bytes], row: int) -> None:
        """Look up what had to wait, each reference once."""
        column, reader = self._events.columns[name], self._readers[name]
        if _PENDING not in column[row:]:
            return
        for index, each in enumerate(raw, row):
            if column[index] == _PENDING:
                if (number := reader[each]) == _PENDING:
                    number = reader[each] = self._value(name, self._object(each))
                column[index] = number

    # -- Values ---------------------------------------------------------------------------------------------------

    def _reader(self, name: str) -> Numbers:
        """Give what numbers the values of a column, given their bytes.

        What these very events have written cannot be looked up before they are in columns: it has to wait.
        """

        def read(raw: bytes) -> int:
            if not raw:
                return self._value(name, None)
            if raw[:1] in _GETS:
                found = self._memo.known(number_of(raw))
                return _PENDING if found is None else self._value(name, found)
            return self._value(name, self._wholes.pair(raw) if name == "pool" else text_of(raw))

        return Numbers(read)

    def _value(self, name: str, found: object) -> int:
        if name == "action":
            return ACTION_NAMES.get(found, Action.OTHER) if isinstance(found, str) else Action.OTHER
        return self._events.pools.number(found) if name == "pool" else self._events.texts.number(found)

    def _stack(self, raw: bytes) -> int:
        """Number a stack; -1 when these bytes are no references to frames: they only looked like the end of a list."""
        if _FRAMES.fullmatch(raw) is None:
            return NO_STACK - 1
        places = [self._places[each] for each in _gets(raw)]
        return NO_STACK - 1 if min(places) < 0 else self._events.stacks.stack(places)

    def _place(self, raw: bytes) -> int:
        frame = self._memo.known(number_of(raw))
        return _PENDING if frame is None else self._events.stacks.place(frame)

    def frames(self) -> int | None:
        """Read a list of frames that were all written before, and number its stack; None where it is no such list."""
        source = self._source
        if len(source.buf) - source.pos < LONGEST_EVENT_BYTES:
            source.more()
        found = _FRAMES.match(source.buf, source.pos)
        if found is None or source.buf[found.end() : found.end() + 1] != b"e":
            return None
        raw = found[0]
        if raw not in self._stacks and not all(_is_frame(self._object(each)) for each in _gets(raw)):
            return None
        if source.buf[found.end() + 1 : found.end() + 2] in {b"(", b""}:
            return None  # The list goes on.
        source.pos = found.end() + 1
        return self._stacks[raw]


def _present(raw: list[bytes | None]) -> NDArray[np.bool_]:
    """Say which took part."""
    return np.array(raw, object).astype(bool)


def _is_frame(found: object) -> bool:
    return isinstance(found, dict) and "filename" in found

"""The fast lane: runs of events that look like one already seen go from bytes to columns without becoming objects."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from dstop.errors import SnapshotError
from dstop.snapshot.load.columns import COLUMNS, StackNumber
from dstop.snapshot.load.decode import Numbers, Wholes, number_of, text_of
from dstop.snapshot.load.layout import GET, layout_of
from dstop.snapshot.load.parse import Run
from dstop.snapshot.values import ACTION_NAMES, NO_STACK, NO_TEXT, Action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dstop.snapshot.load.columns import Events
    from dstop.snapshot.load.layout import Layout
    from dstop.snapshot.load.memo import Memo
    from dstop.snapshot.load.source import Source

MOST_LAYOUTS = 24
MOST_EVENTS = 20_000_000
"""In columns they are a gigabyte; torch keeps as many as it was told, a hundred thousand or a million as a rule."""
MOST_TRIES = 256
"""To learn something new from events in a row: most that the machine reads are familiar, and cut by a pickle frame."""
BATCH = 4096
LONGEST_EVENT_BYTES = 1 << 16
"""An event that would not fit before the window's end is looked at again after more was read."""
_FRAMES = re.compile(rb"(?:%s)++" % GET, re.DOTALL)
_LIST = re.compile(rb"((?:%s)++)e(q.|r.{4})?u" % GET, re.DOTALL)
_gets = re.compile(GET, re.DOTALL).findall
_STACK = COLUMNS.index("stack")
_GETS = frozenset({b"h", b"j"})
_PUTS = frozenset({b"q", b"r"})
_PENDING = -1
_REFERS = -1


class Lane:
    """Reads what it has learned, and leaves the rest to the machine."""

    def __init__(self, source: Source, events: Events, memo: Memo) -> None:
        self._source, self._events, self._memo = source, events, memo
        self._layouts: list[Layout] = []
        self._patterns: set[bytes] = set()
        self._tries = MOST_TRIES
        self._known: dict[bytes, int] = {}
        """Bytes of a list of frames -> number of the stack."""
        self._places = Numbers(lambda raw: events.stacks.place(self._object(raw)))
        self._wholes = Wholes()
        self._readers = {
            "action": Numbers(self._action),
            "pool": Numbers(self._pool),
            "compiled": Numbers(self._text),
            "note": Numbers(self._text),
        }

    # -- Learning -------------------------------------------------------------------------------------------------

    def learn(self, begin: int) -> None:
        """Learn from an event that the machine has just read, which began at this place of the file."""
        source = self._source
        if begin < source.before or len(self._layouts) >= MOST_LAYOUTS or not self._tries:
            return
        self._tries -= 1
        raw = source.buf[begin - source.before : source.pos]
        if len(raw) > LONGEST_EVENT_BYTES or (layout := layout_of(raw, self._object)) is None:
            return
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

        Raises:
            SnapshotError: when there are more events than are read.
        """
        if not self._layouts:
            return None
        first = len(self._events)
        while self._batch():
            if len(self._events) > MOST_EVENTS:
                raise SnapshotError(
                    f"it has more than {MOST_EVENTS} events", fix="record fewer (max_entries), and dump again"
                )
        last = len(self._events)
        return Run((first, last)) if last > first else None

    def _batch(self) -> bool:
        """Read a batch; say whether there may be more."""
        source = self._source
        if len(source.buf) - source.pos < LONGEST_EVENT_BYTES:
            source.more()
        buf, pos = source.buf, source.pos
        find, known = buf.find, self._known.get
        rows: list[tuple[bytes, ...]] = []
        stacks: list[int] = []
        kinds: list[int] = []
        kind = 0
        layout = self._layouts[kind]
        match, order = layout.match, layout.order
        while len(rows) < BATCH:
            found = match(buf, pos)
            if found is None:
                kind = next((i for i, each in enumerate(self._layouts) if each.match(buf, pos)), -1)
                if kind < 0:
                    break
                layout = self._layouts[kind]
                match, order = layout.match, layout.order
                continue
            row = found.group(*order)
            end = found.end()
            stack = _REFERS
            if row[_STACK] is None:
                # What ends like a list, and is one that was read before, is that list: it was read from the same start.
                begin, end = end, -1 if layout.numbered_after else find(b"eu", end)
                number = known(buf[begin:end]) if end > 0 else None
                end += 2
                if number is None:
                    number, end = self._list(buf, begin)
                    if end < 0:
                        break
                stack = number
            rows.append(row)
            stacks.append(stack)
            kinds.append(kind)
            pos = end
        source.pos = pos
        if rows:
            self._take(rows, stacks, kinds)
        return len(rows) == BATCH or (bool(rows) and len(buf) - pos < LONGEST_EVENT_BYTES)

    def _take(self, rows: list[tuple[bytes, ...]], stacks: list[int], kinds: list[int]) -> None:
        """Put a batch into columns."""
        columns = dict(zip((*COLUMNS, "first"), zip(*rows, strict=True), strict=True))
        stack = np.array(stacks, np.int32)
        events, row = self._events, len(self._events)
        for name, column in events.columns.items():
            raw = columns[name]
            if name == "stack":
                column.frombytes(np.maximum(stack, NO_STACK).tobytes())
            elif name in self._readers:
                column.frombytes(self._readers[name].column(raw, column.typecode))
            else:
                column.frombytes(self._wholes.column(raw).tobytes())
        self._number(columns["first"], stack != _REFERS, kinds, row)
        self._refer(columns["stack"], row)
        for name in ("compiled", "note"):
            self._settle(name, columns[name], row)

    def _number(self, first: Sequence[bytes], new: NDArray[np.bool_], kinds: list[int], row: int) -> None:
        """Tell the memo which numbers these events took; `new`: those that brought a list of their own."""
        kind = np.array(kinds, np.int64)
        without = [len(layout.slots) - ("stack" in layout.slots) for layout in self._layouts]
        has_list = [("stack" in layout.slots) for layout in self._layouts]
        taken = np.array(without, np.int64)[kind] + (np.array(has_list, bool)[kind] & new)
        begins = np.cumsum(taken) - taken + self._memo.count
        if first[0][:1] in _PUTS:
            begins = np.array(
                [number_of(raw) if raw else at for raw, at in zip(first, begins.tolist(), strict=True)],
                np.int64,
            )
        self._memo.skip(begins, row, kind, count=int(taken.sum()))

    def _refer(self, raw: tuple[bytes | None, ...], row: int) -> None:
        """Find the stacks of events that refer to a list written before."""
        at = [index for index, each in enumerate(raw) if each]
        if not at:
            return
        numbers = [number_of(each) for each in raw if each]
        known = [self._memo.known(number) for number in numbers]
        stacks = [self._numbered(each) for each in known]
        in_columns = [index for index, each in enumerate(known) if each is None]
        if in_columns:
            found = self._memo.stacks(np.array([numbers[index] for index in in_columns], np.int64)).tolist()
            for index, number in zip(in_columns, found, strict=True):
                stacks[index] = number
        column = self._events.columns["stack"]
        for index, number in zip(at, stacks, strict=True):
            column[row + index] = number

    # -- Values ---------------------------------------------------------------------------------------------------

    def _action(self, raw: bytes) -> int:
        found = self._object(raw)
        return ACTION_NAMES.get(found, Action.OTHER) if isinstance(found, str) else Action.OTHER

    def _pool(self, raw: bytes) -> int:
        if not raw:
            return -1
        found = self._object(raw) if raw[:1] in _GETS else self._wholes.pair(raw)
        return self._events.pools.number(found)

    def _text(self, raw: bytes) -> int:
        """Number a text; one that these very events have written cannot be looked up before they are in columns."""
        if not raw:
            return NO_TEXT
        found = self._memo.known(number_of(raw)) if raw[:1] in _GETS else text_of(raw)
        return _PENDING if found is None else self._events.texts.number(found)

    def _settle(self, name: str, raw: Sequence[bytes], row: int) -> None:
        """Look up the texts that had to wait, each reference once."""
        column, reader = self._events.columns[name], self._readers[name]
        if _PENDING not in column[row:]:
            return
        for index, each in enumerate(raw):
            if column[row + index] == _PENDING:
                if reader[each] == _PENDING:
                    reader[each] = self._events.texts.number(self._object(each))
                column[row + index] = reader[each]

    def _numbered(self, found: object) -> int:
        return int(found) if isinstance(found, StackNumber) else self._events.stacks.frames(found)

    def _stack(self, raw: bytes) -> int:
        number = self._known.get(raw)
        if number is None:
            number = self._known[raw] = self._events.stacks.stack(map(self._places.__getitem__, _gets(raw)))
        return number

    def _list(self, buf: bytes, begin: int) -> tuple[int, int]:
        """Give the stack of a list of frames that begins here, and where its event ends; -1 where it does not."""
        found = _LIST.match(buf, begin)
        if found is None:
            return _REFERS, -1
        stack = self._stack(found[1])
        if found[2]:
            self._memo.put(number_of(found[2]), StackNumber(stack))
        return stack, found.end()

    def frames(self) -> int | None:
        """Read a list of frames that were all written before, and number its stack; None where it is no such list."""
        source = self._source
        if len(source.buf) - source.pos < LONGEST_EVENT_BYTES:
            source.more()
        found = _FRAMES.match(source.buf, source.pos)
        if found is None or source.buf[found.end() : found.end() + 1] != b"e":
            return None
        raw = found[0]
        if raw not in self._known and not all(_is_frame(self._object(each)) for each in _gets(raw)):
            return None
        if source.buf[found.end() + 1 : found.end() + 2] in {b"(", b""}:
            return None  # The list goes on.
        source.pos = found.end() + 1
        return self._stack(raw)


def _is_frame(found: object) -> bool:
    return isinstance(found, dict) and "filename" in found

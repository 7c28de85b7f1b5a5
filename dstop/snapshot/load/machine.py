"""A pickle machine that knows data and nothing else: no opcode that names, makes or calls anything is followed.

What torch writes is dictionaries, lists, tuples, texts and numbers, in protocols 2 (its C++ pickler), 4, and 5 (Python
3.14). Opcodes: `Lib/pickletools.py`. Events go into columns as they end, so that a million of them are never objects.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from dstop.errors import SnapshotError
from dstop.snapshot.load.columns import StackNumber
from dstop.snapshot.load.lane import Lane
from dstop.snapshot.load.memo import DAMAGED, Memo
from dstop.snapshot.load.parse import Run
from dstop.snapshot.load.refused import REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.snapshot.load.columns import Events
    from dstop.snapshot.load.source import Source

MOST_STACK = 4_000_000
MOST_DEPTH = 64
"""A snapshot nests six deep."""
MOST_TEXT_BYTES = 1 << 30
"""Of all texts together."""
MOST_WHOLE_BYTES = 255
"""Of one number."""
NEWEST_PROTOCOL = 5

_FIRST = frozenset(b"\x80](}")
"""A protocol, or the list or dictionary itself."""
_U16, _U32, _I32, _U64, _F64 = (struct.Struct(code) for code in ("<H", "<I", "<i", "<Q", ">d"))


class Machine:
    """Runs one pickle. `marks` are heights of the stack, as in CPython's own."""

    def __init__(self, source: Source, events: Events) -> None:
        self.source, self.events = source, events
        self.memo = Memo(events)
        self.lane = Lane(source, events, self.memo)
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self._text_bytes = 0
        self._dict_at = -1
        """Where in the file the newest dictionary begins."""
        self._operations = self._table()

    def run(self) -> object:
        """Run to the end and give what is left.

        Raises:
            SnapshotError: when the pickle asks for more than data, breaks off, or makes no sense.
        """
        source, operations = self.source, self._operations
        if source.buf[0] not in _FIRST:
            raise SnapshotError(
                "it is no pickle", fix="name a file that torch or dstop wrote as a memory snapshot"
            )
        try:
            while True:
                if source.pos >= len(source.buf) and not source.more():
                    source.take(1)
                code = source.buf[source.pos]
                source.pos += 1
                if code == 0x2E:  # noqa: PLR2004 - STOP
                    return self._result()
                operation = operations[code]
                if operation is None:
                    raise SnapshotError(self._refusal(code), fix=DAMAGED)
                operation()
        except (IndexError, TypeError, AttributeError, ValueError, struct.error) as error:
            # Operations trust that the stack holds what torch would have put there.
            where = source.before + source.pos
            raise SnapshotError(f"it makes no sense at byte {where}", fix=DAMAGED) from error

    def _result(self) -> object:
        if len(self.stack) != 1 or self.marks:
            raise SnapshotError("it ends with things left over", fix=DAMAGED)
        return self.stack[0]

    def _refusal(self, code: int) -> str:
        where = self.source.before + self.source.pos - 1
        name = REFUSED.get(code)
        if name is None:
            return f"it is no pickle: byte {where} means nothing there"
        return f"it asks for {name} at byte {where}, which no snapshot needs; nothing was run"

    def _table(self) -> list[Callable[[], None] | None]:
        table: list[Callable[[], None] | None] = [None] * 256
        for code, operation in {
            b"\x80": self._proto,
            b"\x95": self._frame,
            b"(": self._mark,
            b"1": self._pop_mark,
            b"0": self._pop,
            b"}": self._empty_dict,
            b"]": lambda: self._push([]),
            b")": lambda: self._push(()),
            b"u": self._setitems,
            b"s": self._setitem,
            b"e": self._appends,
            b"a": self._append,
            b"d": self._dict,
            b"l": lambda: self._push(self._popped()),
            b"t": lambda: self._push(tuple(self._popped())),
            b"\x85": lambda: self._tuple(1),
            b"\x86": lambda: self._tuple(2),
            b"\x87": lambda: self._tuple(3),
            b"\x94": lambda: self.memo.memoize(self.stack[-1]),
            b"q": lambda: self.memo.put(self._byte(), self.stack[-1]),
            b"r": lambda: self.memo.put(self._of(_U32), self.stack[-1]),
            b"h": lambda: self.stack.append(self.memo.get(self._byte())),
            b"j": lambda: self.stack.append(self.memo.get(self._of(_U32))),
            b"K": lambda: self._push(self._byte()),
            b"M": lambda: self._push(self._of(_U16)),
            b"J": lambda: self._push(self._of(_I32)),
            b"\x8a": lambda: self._whole(self._byte()),
            b"\x8b": lambda: self._whole(self._of(_I32)),
            b"G": lambda: self._push(self._of(_F64)),
            b"N": lambda: self._push(None),
            b"\x88": lambda: self._push(True),
            b"\x89": lambda: self._push(False),
            b"\x8c": lambda: self._text(self._byte()),
            b"X": lambda: self._text(self._of(_U32)),
            b"\x8d": lambda: self._text(self._of(_U64)),
        }.items():
            table[code[0]] = operation
        return table

    # -- Reading --------------------------------------------------------------------------------------------------

    def _byte(self) -> int:
        return self.source.take(1)[0]

    def _of(self, form: struct.Struct) -> Any:
        return form.unpack(self.source.take(form.size))[0]

    def _proto(self) -> None:
        if (protocol := self._byte()) > NEWEST_PROTOCOL:
            raise SnapshotError(f"pickle protocol {protocol} is unknown", fix="a newer dstop may know it")

    def _frame(self) -> None:
        self.source.take(8)  # How long it is: only of use to who reads whole frames.

    def _whole(self, size: int) -> None:
        if not 0 <= size <= MOST_WHOLE_BYTES:
            raise SnapshotError(f"it claims a number of {size} bytes", fix=DAMAGED)
        self._push(int.from_bytes(self.source.take(size), "little", signed=True))

    def _text(self, size: int) -> None:
        self._push(self.source.take(size).decode("utf-8", "replace"))
        self._text_bytes += size
        if self._text_bytes > MOST_TEXT_BYTES:
            raise SnapshotError(f"its texts are more than {MOST_TEXT_BYTES >> 30} GiB", fix=DAMAGED)

    # -- The stack ------------------------------------------------------------------------------------------------

    def _push(self, value: object) -> None:
        self.stack.append(value)
        if len(self.stack) > MOST_STACK:
            raise SnapshotError("it leaves too much lying about", fix=DAMAGED)

    def _mark(self) -> None:
        stack = self.stack
        if stack and type(stack[-1]) is list and not stack[-1] and (number := self.lane.frames()) is not None:
            # The list of frames that just began has been read to its end; whoever refers to it gets its number.
            self._become(StackNumber(number))
            return
        self.marks.append(len(stack))
        if len(self.marks) > MOST_DEPTH:
            raise SnapshotError("it nests deeper than any snapshot", fix=DAMAGED)

    def _become(self, number: StackNumber) -> None:
        """Put a stack's number where its empty list is, on the stack and behind the list's own number."""
        empty = self.stack[-1]
        self.stack[-1] = number
        self.memo.replace(empty, number)

    def _popped(self) -> list[Any]:
        height = self.marks.pop()
        items = self.stack[height:]
        del self.stack[height:]
        return items

    def _pop_mark(self) -> None:
        self._popped()

    def _pop(self) -> None:
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.stack.pop()

    def _tuple(self, size: int) -> None:
        items = tuple(self.stack[-size:])
        if len(items) < size:
            raise IndexError
        del self.stack[-size:]
        self._push(items)

    # -- Lists and dictionaries -----------------------------------------------------------------------------------

    def _append(self) -> None:
        value = self.stack.pop()
        self.stack[-1].append(value)

    def _appends(self) -> None:
        items = self._popped()
        self.stack[-1].extend(items)

    def _empty_dict(self) -> None:
        self.source.pos -= 1
        rows = self.lane.run() if self._in_list() else None
        if rows is None:
            self._dict_at = self.source.before + self.source.pos
            self.source.pos += 1
            self._push({})
        else:
            self._push(rows)
            self._join()

    def _in_list(self) -> bool:
        """Say whether what comes will be added to a list, and nothing but one run of events waits for that."""
        if not self.marks or (height := self.marks[-1]) == 0:
            return False
        waiting = self.stack[height:]
        return type(self.stack[height - 1]) is list and (
            not waiting or (len(waiting) == 1 and isinstance(waiting[0], Run))
        )

    def _dict(self) -> None:
        items = self._popped()
        self._push(_dictionary(items))

    def _setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.stack[-1].update(_dictionary([key, value]))

    def _setitems(self) -> None:
        items = self._popped()
        found = self.stack[-1]
        found.update(_dictionary(items))
        if "action" in found:
            self._event(found)

    def _join(self) -> None:
        """Make one run of two that follow each other in one list: a million events are one item of the stack."""
        stack = self.stack
        if len(stack) - (self.marks[-1] if self.marks else 0) < 2:  # noqa: PLR2004 - two items
            return
        before, after = stack[-2:]
        if isinstance(before, Run) and isinstance(after, Run) and before[1] == after[0]:
            stack[-2:] = [Run((before[0], after[1]))]

    def _event(self, found: dict[str, Any]) -> None:
        """Put an event that is complete into the columns, and learn what it looks like in the file."""
        row = self.events.add(found)
        self.lane.bound()
        self.stack[-1] = Run((row, row + 1))
        self._join()
        self.lane.learn(self._dict_at)


def _dictionary(items: list[Any]) -> dict[str, Any]:
    """Pair keys and values. Keys are texts: the hash of a tuple that holds itself a million deep would end the process.

    Raises:
        ValueError: when a key is no text, or has no value.
    """
    keys = items[::2]
    if any(type(key) is not str for key in keys):
        raise ValueError("a key is no text")
    return dict(zip(keys, items[1::2], strict=True))

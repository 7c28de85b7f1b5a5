"""What one event looks like in the file, as an expression that all like it match.

A pickler writes a million events alike: the keys are references to texts it wrote before, always the same bytes, and
the values are a few kinds of opcodes. So one event, read slowly, gives the expression that reads the others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

GET = rb"h.|j.{4}"
WHOLE = rb"K.|M.{2}|J.{4}|\x8a(?:\x07.{7}|\x06.{6}|\x05.{5}|\x04.{4}|\x03.{3}|\x02.{2}|\x01.|\x08.{8}|\x00)"
_SHORT = b"|".join(b"%s.{%d}" % (re.escape(bytes([size])), size) for size in range(64))
TEXT = (
    rb"\x8c(?:"
    + _SHORT
    + rb")|X(?:"
    + b"|".join(b"%s.{%d}" % (re.escape(size.to_bytes(4, "little")), size) for size in range(64))
    + rb")"
)
PAIR = rb"(?:K.|M.{2}|J.{4}){2}\x86"
PUTS = {b"\x94": rb"\x94", b"q": rb"q.", b"r": rb"r.{4}"}
_TOKEN = re.compile(
    rb"(?P<get>%s)|(?P<pair>%s)|(?P<whole>%s)|(?P<text>%s)|(?P<plain>[\x88\x89N])" % (GET, PAIR, WHOLE, TEXT),
    re.DOTALL,
)
_PUT_AT = re.compile(rb"\x94|q.|r.{4}", re.DOTALL)

COLUMN_OF = {
    "action": "action",
    "addr": "address",
    "device_free": "address",
    "size": "size",
    "stream": "stream",
    "time_us": "time_us",
    "frames": "stack",
    "pool_id": "pool",
    "segment_pool_id": "pool",
    "compile_context": "compiled",
    "user_metadata": "note",
}
"""Key of an event -> column; others are read over."""


REFERENCE, FRAMES, FRAME, NUMBER, FIRST = "reference", "frames", "frame", "number", "first"
"""Groups that are no columns: a reference to a list of frames that was written before, or what a new list holds (its
only frame, if it has but one), and its number where it gets one when it is complete; and the number of the event."""
NEXT_BATCH = b"e("
"""Python's pickler adds a thousand events to their list, and begins the next thousand."""
_CONSTANT = frozenset({"stream", "pool", "compiled", "note"})
"""Columns that say the same in most events of most files: an expression that has them literally is half as long."""
_ALIKE = frozenset({"address", "time_us"})
"""Columns whose numbers are as long as each other."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Layout(Value):
    """One kind of event, whole."""

    pattern: bytes
    split: Callable[[bytes], list[bytes]]
    """Cuts a piece of the window at such events, each with a `NEXT_BATCH` behind it or none.

    Gives what is between them (nothing where they follow each other), and their groups.
    """
    each: Callable[[bytes], Iterator[re.Match[bytes]]]
    """Finds them one by one."""
    match: Callable[[bytes, int], re.Match[bytes] | None]
    fields: tuple[str, ...]
    """What each group is: a column, or one of those above."""
    constants: Mapping[str, bytes]
    """Columns that are the same in all events of this kind."""
    slots: tuple[str, ...]
    """What takes numbers, in order: `event`, names of columns."""


class _Reader:
    """A place in the bytes of one event."""

    def __init__(self, raw: bytes) -> None:
        self.raw, self.pos = raw, 0

    def skip(self, wanted: bytes) -> bool:
        if self.raw.startswith(wanted, self.pos):
            self.pos += len(wanted)
            return True
        return False

    def expect(self, wanted: bytes) -> None:
        if not self.skip(wanted):
            raise _NotSimpleError

    def token(self) -> re.Match[bytes]:
        """Read over one value."""
        found = _TOKEN.match(self.raw, self.pos)
        if found is None:
            raise _NotSimpleError
        self.pos = found.end()
        return found

    def put(self) -> bytes:
        """Read over a number being given, and return the expression for it."""
        found = _PUT_AT.match(self.raw, self.pos)
        if found is None:
            return b""
        self.pos = found.end()
        return PUTS[found[0][:1]]


def layouts_of(raw: bytes, key_of: Callable[[bytes], object]) -> tuple[Layout, ...]:
    """Learn from one event: what is the same as it in most columns, and what is like it.

    None where its parts are not as simple as others' will be (its keys are new, say).

    Args:
        raw: from its `}` to its end.
        key_of: gives what a reference (as bytes) stands for.
    """
    try:
        return tuple(_Learner(raw, key_of, constant).learn() for constant in (_CONSTANT, frozenset[str]()))
    except _NotSimpleError:
        return ()


class _NotSimpleError(Exception):
    """This event is for the machine."""


_LIKE = {"get": GET, "pair": PAIR, "whole": WHOLE, "text": TEXT, "plain": rb"[\x88\x89N]"}
_NUMBER, _TEXTS = frozenset({"whole"}), frozenset({"get", "text"})
_KINDS_OF = {
    "address": _NUMBER,
    "size": _NUMBER,
    "stream": _NUMBER,
    "time_us": _NUMBER,
    "pool": frozenset({"get", "pair"}),
    "action": frozenset({"get"}),  # A new word is rare, and whoever refers to it later must find it.
}
_SKIP = rb"((?:[^e]++|e(?!u[}e\x95]))*+)eu(?=[}e\x95])"
"""To where a list of frames seems to end, and its event, with what may follow. It is looked at again: see `Lane`."""


class _Learner:
    """Reads one event, and writes the expression for its like."""

    def __init__(self, raw: bytes, key_of: Callable[[bytes], object], constant: frozenset[str]) -> None:
        self._reader, self._key_of, self._constant = _Reader(raw), key_of, constant
        self._slots: list[str] = []
        self._fields: list[str] = []
        self._constants: dict[str, bytes] = {}

    def learn(self) -> Layout:
        """Give the layout.

        Raises:
            _NotSimpleError: when there is none.
        """
        reader = self._reader
        reader.expect(b"}")
        pattern = b"\\}" + self._event_number() + b"\\("
        reader.expect(b"(")
        while not reader.skip(b"u"):
            raw_key = reader.token()
            if raw_key.lastgroup != "get" or "stack" in self._fields:
                raise _NotSimpleError  # Frames in the middle: torch has always written them last.
            key = self._key_of(raw_key[0])
            column = COLUMN_OF.get(key) if isinstance(key, str) else None
            pattern += re.escape(raw_key[0]) + (self._frames() if column == "stack" else self._value(column))
        if "action" not in self._fields:
            raise _NotSimpleError  # The newest dictionary was one of its frames.
        if REFERENCE not in self._fields:
            pattern += b"u"
        if "event" not in self._slots:
            pattern += b"(?:q.|r.{4})?"  # Torch's own pickler numbers what is complete.
        # At its end, so that the expression begins with bytes that can be searched for.
        each = re.compile(rb"%s(?:%s)?" % (pattern, re.escape(NEXT_BATCH)), re.DOTALL)
        return Layout(
            pattern=pattern,
            split=each.split,
            each=each.finditer,
            match=re.compile(pattern, re.DOTALL).match,
            fields=tuple(self._fields),
            constants=self._constants,
            slots=tuple(self._slots),
        )

    def _event_number(self) -> bytes:
        put = self._reader.put()
        if put:
            self._slots.append("event")
        if put in {b"", PUTS[b"\x94"]}:
            return put
        self._fields.append(FIRST)
        return b"(" + put + b")"

    def _value(self, column: str | None) -> bytes:
        """Read over a value and give the expression for its like."""
        found = self._reader.token()
        kind, put = found.lastgroup or "", self._reader.put()
        if put:
            self._slots.append(column or "other")
        if column is None:
            return b"(?:" + _LIKE[kind] + b")" + put
        if kind not in _KINDS_OF.get(column, _TEXTS) or column in self._fields or column in self._constants:
            raise _NotSimpleError
        if column in self._constant:
            self._constants[column] = found[0]
            return re.escape(found[0]) + put
        self._fields.append(column)
        if self._constant and column in _ALIKE and found[0].startswith(b"\x8a"):
            return b"(%s.{%d})" % (re.escape(found[0][:2]), len(found[0]) - 2) + put
        return b"(" + _LIKE[kind] + b")" + put

    def _frames(self) -> bytes:
        """Read over a list of frames that were all written before, or a reference to such a list; take either.

        Python's pickler numbers lists as it numbers events: as they begin. Torch's own numbers what has several owners,
        when it is complete.
        """
        reader = self._reader
        if reader.skip(b"]"):
            reader.put()
            frames = reader.skip(b"(")
            while frames and not reader.skip(b"e"):
                if reader.token().lastgroup != "get":
                    raise _NotSimpleError
            reader.put()
        elif reader.token().lastgroup != "get":
            raise _NotSimpleError
        self._fields += [REFERENCE, FRAMES, FRAME]
        if "event" not in self._slots:
            self._fields.append(NUMBER)
            new = rb"\](?:\(((?:%s)++)e|(%s)a)(q.|r.{4})?u" % (GET, GET)
        else:
            self._slots.append("stack")
            put = _Reader(reader.raw[1:]).put()
            new = rb"\]%s(?:\(%s|(%s)au|u)" % (put, _SKIP, GET)
        return b"(?:(" + GET + b")u|" + new + b")"

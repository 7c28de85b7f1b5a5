"""What one event looks like in the file, as an expression that all like it match.

A pickler writes a million events alike: the keys are references to texts it wrote before, always the same bytes, and
the values are a few kinds of opcodes. So one event, read slowly, gives the expression that reads the others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value
from dstop.snapshot.load.columns import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable

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
_PUT = re.compile(rb"\x94|q.|r.{4}", re.DOTALL)

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Layout(Value):
    """One kind of event. Its expression ends where a new list of frames begins, if there is one, or the event ends."""

    pattern: bytes
    match: Callable[[bytes, int], re.Match[bytes] | None]
    order: tuple[int, ...]
    """For each of `COLUMNS`, and then for the number of the first object, its group; an empty one where it has none."""
    numbered_after: bool
    """Whether a list of frames gets its number when it is complete (torch's C++ pickler) and not as it begins."""
    slots: tuple[str, ...]
    """What takes numbers, in order: `event`, names of columns."""


class _Reader:
    """A place in the bytes of one event."""

    def __init__(self, raw: bytes) -> None:
        self.raw, self.pos = raw, 0
        self.numbered_after = False

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
        found = _PUT.match(self.raw, self.pos)
        if found is None:
            return b""
        self.pos = found.end()
        return PUTS[found[0][:1]]


def layout_of(raw: bytes, key_of: Callable[[bytes], object]) -> Layout | None:
    """Learn from one event; None where its parts are not as simple as others' will be (its keys are new, say).

    Args:
        raw: from its `}` to its end.
        key_of: gives what a reference (as bytes) stands for.
    """
    reader = _Reader(raw)
    try:
        return _layout(reader, key_of)
    except _NotSimpleError:
        return None


class _NotSimpleError(Exception):
    """This event is for the machine."""


def _layout(reader: _Reader, key_of: Callable[[bytes], object]) -> Layout:
    reader.expect(b"}")
    put = reader.put()
    slots = ["event"] if put else []
    groups: list[str] = []
    pattern = b"\\}" + (b"(%s)" % put if put else b"()") + b"\\("
    reader.expect(b"(")
    while not reader.skip(b"u"):
        raw_key = reader.token()
        if raw_key.lastgroup != "get":
            raise _NotSimpleError
        key = key_of(raw_key[0])
        column = COLUMN_OF.get(key) if isinstance(key, str) else None
        pattern += re.escape(raw_key[0]) + _value(reader, column, slots)
        if column is not None:
            groups.append(column)
    if "action" not in groups or len(set(groups)) != len(groups):
        raise _NotSimpleError  # The newest dictionary was one of its frames.
    if "stack" not in groups:
        pattern += b"u"
    elif groups[-1] != "stack":
        raise _NotSimpleError  # Frames in the middle: torch has always written them last.
    pattern += b"()"
    empty = len(groups) + 2
    order = (*(groups.index(name) + 2 if name in groups else empty for name in COLUMNS), 1)
    match = re.compile(pattern, re.DOTALL).match
    return Layout(
        pattern=pattern, match=match, order=order, numbered_after=reader.numbered_after, slots=tuple(slots)
    )


def _value(reader: _Reader, column: str | None, slots: list[str]) -> bytes:
    """Read over a value and give the expression for its like."""
    if column == "stack":
        return _frames(reader, slots)
    found = reader.token()
    kind, put = found.lastgroup or "", reader.put()
    if put:
        slots.append(column or "other")
    if column is None:
        return b"(?:" + _LIKE[kind] + b")" + put
    if kind not in _KINDS_OF.get(column, _TEXTS):
        raise _NotSimpleError
    if kind in {"get", "whole"}:
        return b"(" + _LIKE[kind] + b")"
    return b"(" + re.escape(found[0]) + b"|" + _LIKE[kind] + b")" + put


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


def _frames(reader: _Reader, slots: list[str]) -> bytes:
    """Read over a list of frames that were all written before, or a reference to such a list.

    The expression takes either: the reference and the event's end, or no more than the list's beginning.
    """
    if reader.skip(b"]"):
        put = reader.put()
        reader.expect(b"(")
        while not reader.skip(b"e"):
            if reader.token().lastgroup != "get":
                raise _NotSimpleError
        reader.numbered_after = bool(reader.put())
    else:
        if reader.token().lastgroup != "get":
            raise _NotSimpleError
        # A reference does not tell how lists are numbered. Python's pickler numbers them as it numbers events, torch's
        # numbers no event and those lists that will be referred to.
        put = _put_like(slots, reader.raw)
        reader.numbered_after = not put
    if put:
        slots.append("stack")
    return b"(?:(" + GET + b")u|\\]" + put + b"\\()"


def _put_like(slots: list[str], raw: bytes) -> bytes:
    if "event" not in slots:
        return b""
    found = _PUT.match(raw, 1)
    return PUTS[found[0][:1]] if found is not None else b""

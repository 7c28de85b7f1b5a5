"""Stacks and events on their way into arrays: interned and counted as they come, one at a time or a run at once."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

import numpy as np

from dstop.model.segment import Place
from dstop.snapshot.values import ACTION_NAMES, NO_STACK, NO_TEXT, Action, Stacks, Trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LARGEST = 2**63 - 1
MOST_SIZE = 1 << 44
"""Bytes of one block or segment, 16 TiB: what is larger is no size, and sums of millions of such would overflow."""
MOST_ADDRESS = 1 << 62
"""So that an address and a size add up."""
LIMITS = {"address": MOST_ADDRESS, "size": MOST_SIZE}
_NO_CONTEXT = frozenset({"", "N/A"})
"""What torch writes when nothing was being compiled."""
MOST_FRAME_TEXT = 4096
"""Characters of a file or function name; the mangled ones of C++ templates run to thousands."""


def whole(value: object, default: int = 0) -> int:
    """Give a number that fits 63 bits, or the default: booleans, texts and nonsense are no numbers."""
    return value if type(value) is int and 0 <= value <= LARGEST else default


def within(value: object, most: int) -> int:
    """Give a number that is no larger than something, or 0."""
    number = whole(value)
    return number if number <= most else 0


class StackNumber(int):
    """The place of a list of frames that has been put among the stacks already."""

    __slots__ = ()


class StackTable:
    """Distinct stacks, numbered as they come; 0 is the empty one."""

    def __init__(self) -> None:
        self._places: dict[Place, int] = {}
        self._stacks: dict[bytes, int] = {b"": NO_STACK}
        self._members = array("i")
        self._offsets = array("q", [0, 0])

    def place(self, frame: object) -> int:
        """Number one frame; what is no frame is an unknown place."""
        if not isinstance(frame, dict):
            place = Place("??", 0, "??")
        else:
            file, name = frame.get("filename"), frame.get("name")
            place = Place(
                file[:MOST_FRAME_TEXT] if isinstance(file, str) else "??",
                whole(frame.get("line")),
                name[:MOST_FRAME_TEXT] if isinstance(name, str) else "??",
            )
        return self._places.setdefault(place, len(self._places))

    def stack(self, places: Iterable[int]) -> int:
        """Number one stack, given the numbers of its places."""
        members = array("i", places)
        key = members.tobytes()
        number = self._stacks.get(key)
        if number is None:
            number = self._stacks[key] = len(self._offsets) - 1
            self._members.extend(members)
            self._offsets.append(len(self._members))
        return number

    def frames(self, frames: object) -> int:
        """Number a stack as torch writes it: a list of frames, innermost first."""
        if isinstance(frames, StackNumber):
            return int(frames)
        if not isinstance(frames, list | tuple) or not frames:
            return NO_STACK
        return self.stack(map(self.place, frames))

    def done(self) -> Stacks:
        """Give them all."""
        return Stacks(
            places=tuple(self._places),
            offsets=np.array(self._offsets, np.int64),
            members=np.array(self._members, np.int32),
        )


class Texts:
    """Distinct texts, numbered as they come; 0 is the empty one."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = dict.fromkeys(_NO_CONTEXT, NO_TEXT)
        self._texts = [""]

    def number(self, text: object) -> int:
        """Number a text; what is none is the empty one."""
        if not isinstance(text, str):
            return NO_TEXT
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = len(self._texts)
            self._texts.append(text[:MOST_FRAME_TEXT])
        return number

    def done(self) -> tuple[str, ...]:
        """Give them all."""
        return tuple(self._texts)


class Pools:
    """Distinct pool ids, numbered as they come."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, int], int] = {}

    def number(self, pool: object) -> int:
        """Number a pool id; -1 where there is none."""
        if not isinstance(pool, tuple | list) or len(pool) != 2:  # noqa: PLR2004 - a pair
            return -1
        return self._numbers.setdefault((whole(pool[0]), whole(pool[1])), len(self._numbers))

    def done(self) -> tuple[tuple[int, int], ...]:
        """Give them all."""
        return tuple(self._numbers)


COLUMNS = ("action", "address", "size", "stream", "time_us", "stack", "pool", "compiled", "note")
TYPES = ("b", "q", "q", "q", "q", "i", "i", "i", "i")


class Events:
    """Columns that grow; the events of all devices in the order of the file."""

    def __init__(self) -> None:
        self.stacks, self.texts, self.pools = StackTable(), Texts(), Pools()
        self.columns = {name: array(code) for name, code in zip(COLUMNS, TYPES, strict=True)}

    def __len__(self) -> int:
        return len(self.columns["action"])

    def add(self, event: Mapping[str, Any]) -> int:
        """Take one event as torch writes it, and give its row."""
        name = event.get("action")
        action = ACTION_NAMES.get(name, Action.OTHER) if isinstance(name, str) else Action.OTHER
        where = "device_free" if action is Action.OOM else "addr"
        pool = event.get("pool_id", event.get("segment_pool_id"))
        row = (
            action,
            within(event.get(where), MOST_ADDRESS),
            within(event.get("size"), MOST_SIZE),
            whole(event.get("stream")),
            whole(event.get("time_us")),
            self.stacks.frames(event.get("frames")),
            self.pools.number(pool),
            self.texts.number(event.get("compile_context")),
            self.texts.number(event.get("user_metadata")),
        )
        for column, value in zip(self.columns.values(), row, strict=True):
            column.append(value)
        return len(self) - 1

    def trace(self, device: int, runs: Sequence[tuple[int, int]]) -> Trace:
        """Give the ring of one device, whose events are these runs of rows (from, to).

        A single run is no copy: of millions of events there is room for one.
        """
        arrays = {}
        for name, column in self.columns.items():
            whole_column = np.frombuffer(column, column.typecode)
            pieces = [whole_column[first:last] for first, last in runs]
            arrays[name] = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        return Trace(device=device, **arrays)

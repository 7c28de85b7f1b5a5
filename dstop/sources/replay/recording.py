"""A recording that is read: its moments by number and by time, unpacked when somebody comes by."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from dstop.errors import RecordingError
from dstop.sources.replay.file import damaged, open_file, read_block, scan
from dstop.sources.replay.unpack import Unpacked, unpack, unpack_events

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from dstop.model.event import Event
    from dstop.sources.replay.file import Header, Scanned
    from dstop.sources.replay.moment import Moment

_KEPT = 3
"""Unpacked blocks: the one that plays, the one before it, which a seek warms up with, and the next."""
_LOOKS_BACK = 60
"""Blocks, that is half an hour."""
_MOST_EVENTS = 500
"""Of one block: a log holds no more."""


class Recording:
    """The moments of a file, as a list that is mostly on the disk. One thread reads.

    Args:
        path: of the file.

    Raises:
        RecordingError: it cannot be read, is no recording, holds nothing, or is of a newer version.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = open_file(path)
        try:
            found = _scanned(self._file, path)
        except RecordingError:
            self._file.close()
            raise
        self.notice = None if found.trouble is None else f"this recording is not whole: {found.trouble}"
        self._headers = found.headers
        self._ends = list(accumulate(header.moments for header in found.headers))
        self._unpacked: dict[int, Unpacked] = {}
        self._events: dict[int, tuple[Event, ...]] = {}

    def __len__(self) -> int:
        return self._ends[-1]

    @property
    def begin_ns(self) -> int:
        """The place of the first moment."""
        return self._headers[0].first_ns

    @property
    def end_ns(self) -> int:
        """The place of the last one."""
        return self._headers[-1].last_ns

    def moment(self, number: int) -> Moment:
        """Give a moment by its number.

        Raises:
            RecordingError: its block is damaged.
        """
        block, place = self._find(number)
        return self._block(block).moments[place]

    def step_s(self, number: int) -> float:
        """Give the seconds between two moments, as they were recorded there.

        Raises:
            RecordingError: the block is damaged.
        """
        return self._block(self._find(number)[0]).step_s

    def place_of(self, number: int) -> int:
        """Give the place of a moment, in nanoseconds."""
        return self.moment(number).at_ns

    def number_at(self, at_ns: int) -> int:
        """Give the number of the last moment at or before a place; the first when the place is before all.

        Where the block is damaged, its first one: whoever goes there meets the damage, and goes round it.
        """
        block = max(0, bisect_right(self._headers, at_ns, key=_first_ns) - 1)
        try:
            places = [moment.at_ns for moment in self._block(block).moments]
        except RecordingError:
            return self._begin_of(block)
        return self._begin_of(block) + max(0, bisect_right(places, at_ns) - 1)

    def of_weight(self, number: int, *, forward: bool) -> int | None:
        """Give the next moment, or the one before, at which something happened; None when there is none.

        Raises:
            RecordingError: the block is damaged.
        """
        step = 1 if forward else -1
        block, place = self._find(number)
        place += step
        while 0 <= block < len(self._headers):
            if self._headers[block].of_weight:
                found = self._within(block, place, step)
                if found is not None:
                    return found
            block += step
            if 0 <= block < len(self._headers):
                place = 0 if forward else self._headers[block].moments - 1
        return None

    def events_until(self, number: int, most: int) -> tuple[Event, ...]:
        """Give what had happened by a moment, oldest first; from the last half hour, and so many at most.

        What is damaged there is passed over: it is told when it is played.
        """
        block, place_in = self._find(number)
        found = [self._events_within(block, place_in)]
        for place in range(block - 1, max(-1, block - 1 - _LOOKS_BACK), -1):
            events = self._events.get(place)
            if events is None:
                events = self._events[place] = self._read_events(place)
            found.append(events)
            if sum(map(len, found)) >= most:
                break
        return tuple(event for events in reversed(found) for event in events)[-most:]

    def _events_within(self, block: int, place: int) -> tuple[Event, ...]:
        try:
            moments = self._block(block).moments[: place + 1]
        except RecordingError:
            return ()
        return tuple(event for moment in moments for event in moment.events)

    def _read_events(self, block: int) -> tuple[Event, ...]:
        try:
            return unpack_events(read_block(self._file, self._headers[block]))[:_MOST_EVENTS]
        except RecordingError:
            return ()

    def after_block(self, number: int) -> int | None:
        """Give the first moment after the block of this one; None when that is the last block."""
        after = self._ends[self._find(number)[0]]
        return after if after < len(self) else None

    def cut_before(self, number: int) -> bool:
        """End the recording before the block of this moment, which cannot be read; False when that leaves nothing."""
        block = self._find(number)[0]
        if block == 0:
            return False
        del self._headers[block:], self._ends[block:]
        return True

    def close(self) -> None:
        """Let go of the file; safe to call twice."""
        self._file.close()
        self._unpacked.clear()

    def _within(self, block: int, place: int, step: int) -> int | None:
        moments = self._block(block).moments
        places: Iterator[int] = iter(range(place, len(moments) if step > 0 else -1, step))
        found = next((each for each in places if moments[each].has_weight), None)
        return None if found is None else self._begin_of(block) + found

    def _begin_of(self, block: int) -> int:
        return self._ends[block] - self._headers[block].moments

    def _find(self, number: int) -> tuple[int, int]:
        block = bisect_right(self._ends, number)
        return block, number - self._begin_of(block)

    def _block(self, number: int) -> Unpacked:
        found = self._unpacked.pop(number, None)
        if found is None:
            found = self._read(self._headers[number])
        self._unpacked[number] = found  # the newest is the last
        while len(self._unpacked) > _KEPT:
            del self._unpacked[next(iter(self._unpacked))]
        return found

    def _read(self, header: Header) -> Unpacked:
        unpacked = unpack(read_block(self._file, header))
        places = [moment.at_ns for moment in unpacked.moments]
        told = (header.moments, header.first_ns, header.last_ns)
        if not places or told != (len(places), places[0], places[-1]) or places != sorted(places):
            raise damaged("a block is not of the time that it says")
        return unpacked


def _scanned(file: BinaryIO, path: str) -> Scanned:
    found = scan(file, path)
    if found.headers:
        return found
    why = f": {found.trouble}" if found.trouble else " yet"
    raise RecordingError(f"{path} holds nothing{why}", fix="dstop record FILE makes a recording")


def _first_ns(header: Header) -> int:
    return header.first_ns

"""What is kept for one word: its first places and its last, whatever the other words need."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from dstop.doctor.text.spans import FIRST, LAST
from dstop.doctor.text.windows import MIDDLE, NARROW, WIDE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.doctor.text.numbering import Numbered
    from dstop.doctor.text.windows import Region

FIRST_BYTES, LAST_BYTES = 104 << 10, 48 << 10
"""At most; all words together stay below 6 MiB."""
_WIDE_UNTIL_BYTES = 64 << 10
"""From here on a word's first places get less around them."""
_ROOM_BYTES = NARROW.bytes_before + NARROW.bytes_after


class Quota:
    """The places of one word."""

    def __init__(self) -> None:
        self.wanted = FIRST
        """First places that there is room for."""
        self.passed = 0
        """Places that were found, and are not kept."""
        self._first: list[Region] = []
        self._last: deque[Region] = deque()
        self._first_bytes = self._last_bytes = self._reach = 0

    def add(self, block: Numbered, place: int) -> None:
        """Keep what lies around a place; for a late one an earlier late one may have to go."""
        wide = self._first_bytes < _WIDE_UNTIL_BYTES
        region = block.region(place, (WIDE if wide else NARROW) if self.wanted else MIDDLE, self._reach)
        if not region.data:
            return
        self._reach = region.end
        if self.wanted:
            self._first.append(region)
            self._first_bytes += len(region.data)
            self.wanted = self.wanted - 1 if self._first_bytes <= FIRST_BYTES - _ROOM_BYTES else 0
            return
        self._last.append(region)
        self._last_bytes += len(region.data)
        while len(self._last) > LAST or self._last_bytes > LAST_BYTES:
            self._last_bytes -= len(self._last.popleft().data)
            self.passed += 1

    def regions(self) -> Iterator[Region]:
        """Give what is kept."""
        yield from self._first
        yield from self._last

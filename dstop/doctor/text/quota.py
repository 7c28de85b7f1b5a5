"""What is kept for one word: its first places and its last, whatever the other words need."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.doctor.text.anchors import OTHERS, STRONG
from dstop.doctor.text.spans import FIRST, LAST
from dstop.doctor.text.windows import MIDDLE, NARROW, WIDE, Size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.doctor.text.numbering import Numbered
    from dstop.doctor.text.windows import Region


@dataclass(frozen=True, slots=True)
class Share:
    """How much a word may keep."""

    first: int
    """Places, from the front of the log."""
    last: int
    """Places, from its end."""
    first_bytes: int
    last_bytes: int
    size: Size
    """Around a first place, up to `size_bytes`; later ones get less."""
    size_bytes: int


FOR_STRONG = Share(FIRST, LAST, 92 << 10, 44 << 10, WIDE, 64 << 10)
FOR_OTHERS = Share(16, 8, 34 << 10, 16 << 10, MIDDLE, 20 << 10)
MOST_BYTES = sum(
    len(words) * (share.first_bytes + share.last_bytes)
    for words, share in ((STRONG, FOR_STRONG), (OTHERS, FOR_OTHERS))
)
"""Of all words together: below 6 MiB."""
_ROOM_BYTES = NARROW.bytes_before + NARROW.bytes_after


class Quota:
    """The places of one word."""

    def __init__(self, share: Share) -> None:
        self.wanted = share.first
        """First places that there is room for."""
        self.passed = 0
        """Places that were found, and are not kept."""
        self._share = share
        self._first: list[Region] = []
        self._last: deque[Region] = deque()
        self._first_bytes = self._last_bytes = self._reach = 0
        self._flood: tuple[Numbered, tuple[int, ...]] | None = None
        """The latest block that has more late places than are kept; the next such block makes it pointless."""

    def add(self, block: Numbered, places: tuple[int, ...]) -> None:
        """Keep what lies around the places of a block; for late ones earlier late ones may have to go."""
        taken = 0
        while self.wanted and taken < len(places):
            self._add_first(block, places[taken])
            taken += 1
        late = places[taken:]
        if len(late) < self._share.last:
            self._settle()
            self._add_last(block, late)
            return
        self.passed += len(late) - self._share.last + (len(self._flood[1]) if self._flood else 0)
        self._flood = (block, late[-self._share.last :])

    def regions(self) -> Iterator[Region]:
        """Give what is kept."""
        self._settle()
        yield from self._first
        yield from self._last

    def _settle(self) -> None:
        if self._flood is not None:
            flood, self._flood = self._flood, None
            self._add_last(*flood)

    def _add_first(self, block: Numbered, place: int) -> None:
        share = self._share
        size = share.size if self._first_bytes < share.size_bytes else NARROW
        region = block.region(place, size, self._reach)
        if region.data:
            self._reach = region.end
            self._first.append(region)
            self._first_bytes += len(region.data)
            self.wanted = self.wanted - 1 if self._first_bytes <= share.first_bytes - _ROOM_BYTES else 0

    def _add_last(self, block: Numbered, places: tuple[int, ...]) -> None:
        share = self._share
        for place in places:
            region = block.region(place, MIDDLE, self._reach)
            if not region.data:
                continue
            self._reach = region.end
            self._last.append(region)
            self._last_bytes += len(region.data)
            while len(self._last) > share.last or self._last_bytes > share.last_bytes:
                self._last_bytes -= len(self._last.popleft().data)
                self.passed += 1

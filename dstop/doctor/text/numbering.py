"""A scanned block whose lines are numbered: what is kept of it, and at which line that begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.text.spans import SLICE_BYTES
from dstop.doctor.text.windows import Region, window

if TYPE_CHECKING:
    from dstop.doctor.text.spans import Scanned
    from dstop.doctor.text.windows import Size


class Numbered:
    """A block in the middle of a file.

    Args:
        scanned: the block.
        first_line: the number of the line in which it begins.
    """

    def __init__(self, scanned: Scanned, first_line: int) -> None:
        self._span = scanned.span
        self._lines = [first_line]
        for count in scanned.breaks:
            self._lines.append(self._lines[-1] + count)

    @property
    def next_line(self) -> int:
        """The number of the line in which the next block begins."""
        return self._lines[-1]

    def region(self, place: int, size: Size, reach: int) -> Region:
        """Give what lies around a place.

        Args:
            place: in the span's data.
            size: how much.
            reach: an offset of the file, up to which everything is kept already.
        """
        span = self._span
        start, end = window(span.data, place, size)
        start = min(end, max(start, reach - span.offset))
        return Region(span.offset + start, span.data[start:end], self._line(start))

    def _line(self, at: int) -> int:
        span = self._span
        if at < span.start:
            return self._lines[0] - span.data.count(b"\n", at, span.start)
        index = min((at - span.start) // SLICE_BYTES, len(self._lines) - 1)
        return self._lines[index] + span.data.count(b"\n", span.start + index * SLICE_BYTES, at)

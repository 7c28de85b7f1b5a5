"""What is kept around a telling place: whole lines where they are short, so many bytes where they are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.doctor.text.spans import MARGIN_BYTES, STRIDE_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Size:
    """How much is kept before and after a place, in lines, and at most in bytes; neither is less than a stride."""

    lines_before: int
    bytes_before: int
    lines_after: int
    bytes_after: int


WIDE = Size(60, 20 << 10, 40, 12 << 10)
MIDDLE = Size(30, 8 << 10, 20, 6 << 10)
NARROW = Size(3, 2 << 10, 3, 2 << 10)


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of the file that is kept."""

    start: int
    data: bytes
    line: int
    """The number of its first line."""

    @property
    def end(self) -> int:
        """Where it ends in the file."""
        return self.start + len(self.data)

    def since(self, offset: int) -> Region:
        """Leave out what comes before an offset of the file."""
        if offset <= self.start:
            return self
        gone = self.data[: offset - self.start]
        return Region(offset, self.data[len(gone) :], self.line + gone.count(b"\n"))


def window(data: bytes, place: int, size: Size) -> tuple[int, int]:
    """Give where what is kept around a place begins and ends.

    Args:
        data: a block with its margins.
        place: in it.
        size: at most `MARGIN_BYTES` to each side.
    """
    lowest = max(0, place - min(size.bytes_before, MARGIN_BYTES))
    parts = data[lowest:place].rsplit(b"\n", size.lines_before + 1)
    start = lowest if len(parts) == 1 else lowest + len(parts[0]) + 1
    if start > place - STRIDE_BYTES:
        start = data.rfind(b"\n", lowest, max(lowest, place - STRIDE_BYTES)) + 1 or lowest
    highest = min(len(data), place + min(size.bytes_after, MARGIN_BYTES))
    parts = data[place:highest].split(b"\n", size.lines_after + 1)
    end = highest if len(parts) == 1 else highest - len(parts[-1])
    if end < place + STRIDE_BYTES:
        end = data.find(b"\n", min(place + STRIDE_BYTES, highest), highest) + 1 or highest
    return start, end


def joined(regions: Sequence[Region]) -> list[Region]:
    """Put regions in order, and make those one that touch each other."""
    runs: list[list[Region]] = []
    reach = -1
    for region in sorted(regions, key=lambda one: (one.start, -len(one.data))):
        rest = region.since(reach)
        if not rest.data:
            continue
        if runs and rest.start == reach:
            runs[-1].append(rest)
        else:
            runs.append([rest])
        reach = rest.end
    return [Region(run[0].start, b"".join(one.data for one in run), run[0].line) for run in runs]

"""A block with what comes before and after it, and the places in it that tell something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.doctor.text.anchors import ANCHORS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Contains = Callable[[bytes, bytes], bool]

MARGIN_BYTES = 32 << 10
"""Of the neighbours: what is kept around a place reaches no further."""
STRIDE_BYTES = 1 << 10
"""Between two places of one word; what is kept around each reaches that far, so that the next is not missed."""
FIRST, LAST = 40, 20
"""Places of one word: from the front, and from the end."""
SLICE_BYTES = 64 << 10
"""Line breaks are counted by these, so that a line's number is found without counting the whole block again."""


@dataclass(frozen=True, slots=True)
class Span:
    """A block at its place in the file."""

    data: bytes
    """The block between its margins."""
    offset: int
    """Of `data` in the file."""
    start: int
    end: int
    """The block within `data`."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """What was found in a block."""

    span: Span
    breaks: tuple[int, ...]
    """Line breaks in each slice of the block."""
    places: tuple[tuple[int, tuple[int, ...], int], ...]
    """Word (its index), places in `span.data`, and about how many more there are between them; by word."""


def spans_of(blocks: Iterable[bytes]) -> Iterator[Span]:
    """Give every block with its margins."""
    offset, before = 0, b""
    stream = iter(blocks)
    block = next(stream, b"")
    while block:
        after = next(stream, b"")
        data = b"".join((before, block, after[:MARGIN_BYTES]))
        yield Span(data, offset - len(before), len(before), len(before) + len(block))
        offset += len(block)
        before = block[-MARGIN_BYTES:]
        block = after


def scan(span: Span, skip: int, firsts: Sequence[int], contains: Contains) -> Scanned:
    """Look for every word in a block.

    Args:
        span: the block.
        skip: bytes at its begin that need no looking at.
        firsts: how many first places of each word are still wanted; the last ones always are.
        contains: whether a word is in data without NULs; cheaper than finding it.
    """
    slices = range(span.start, span.end, SLICE_BYTES)
    breaks = tuple(span.data.count(b"\n", at, min(at + SLICE_BYTES, span.end)) for at in slices)
    searched = span.data.replace(b"\0", b" ")
    places = []
    for index, word in enumerate(ANCHORS):
        if contains(searched, word):
            found, more = _places(span, span.start + skip, word, firsts[index] + LAST)
            if found:
                places.append((index, found, more))
    return Scanned(span, breaks, tuple(places))


def _places(span: Span, start: int, word: bytes, most: int) -> tuple[tuple[int, ...], int]:
    """Give the first places, where there are more the last, too, and about how many are between them."""
    data, end = span.data, span.end + len(word) - 1
    found: list[int] = []
    at = start
    while len(found) < most:
        hit = data.find(word, at, end)
        if hit < 0:
            return tuple(found), 0
        found.append(hit)
        at = hit + STRIDE_BYTES
    last: list[int] = []
    until = end
    while len(last) < LAST and (hit := data.rfind(word, at, until)) >= 0:
        last.append(hit)
        until = max(at, hit + len(word) - STRIDE_BYTES)
    if not last:
        return tuple(found), 0
    more = _about(data, word, at, last[-1])
    if len(last) == LAST:  # more of the last than are kept
        more += LAST
        del found[-LAST:]
    return (*found, *reversed(last)), more


def _about(data: bytes, word: bytes, start: int, end: int) -> int:
    """Count a word, by a sample where there is much to count: of a flood no more than its size is wanted."""
    if end - start <= SLICE_BYTES:
        return data.count(word, start, end)
    return data.count(word, start, start + SLICE_BYTES) * (end - start) // SLICE_BYTES

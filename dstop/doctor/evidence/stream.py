"""The text of a log as one string without prefixes, in which a message may run over several lines; and whose it is."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from dstop.doctor.evidence.facts import Place
from dstop.doctor.evidence.prefix import Stripped, strip_prefixes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.doctor.text.values import LogLine, LogText


_NARROWEST, _WIDEST = 60, 250
_LEAST_FULL = 2
"""Cells of terminals, and how many full lines tell one."""


class Stream:
    """Lines that belong together: all of a log, or those of one worker in it.

    Args:
        source: the log's name.
        lines: the lines as they were read.
        stripped: the same without prefixes, one each.
        first_order: the order of the log's first line among all that is read.
        orders: position of each line in the log.
    """

    def __init__(
        self,
        source: str,
        lines: Sequence[LogLine],
        stripped: Sequence[Stripped],
        first_order: int,
        orders: Sequence[int],
    ) -> None:
        self.source = source
        self.text = "\n".join(one.text for one in stripped)
        self.workers = sorted({one.who for one in stripped if one.who is not None})
        """What the workers call themselves, which often names the engine."""
        self._lines = lines
        self._stripped = stripped
        self._orders = [first_order + order for order in orders]
        self._starts: list[int] = []
        offset = 0
        for one in stripped:
            self._starts.append(offset)
            offset += len(one.text) + 1

    def __len__(self) -> int:
        return len(self._lines)

    def line_text(self, index: int) -> str:
        """Give a line without its prefixes."""
        return self._stripped[index].text

    def index_at(self, offset: int) -> int:
        """Give the index of the line that holds this offset of the text."""
        return max(0, bisect_right(self._starts, offset) - 1)

    def place(self, index: int) -> Place:
        """Say where a line is."""
        line = self._lines[index]
        return Place(
            source=self.source, line=line.number, order=self._orders[index], at=self._stripped[index].at
        )

    def rank(self, index: int) -> int | None:
        """Give the rank that a line's prefix names."""
        return self._stripped[index].rank


def _unwrapped(log: LogText, first_order: int) -> Stream | None:
    """Join what a terminal has broken at its edge, in the middle of words; None where no line reaches an edge.

    A copied screen has no line longer than its width, and several of just that width.
    """
    width = max((len(line.text) for line in log.lines), default=0)
    if not _NARROWEST <= width <= _WIDEST or sum(len(line.text) == width for line in log.lines) < _LEAST_FULL:
        return None
    heads: list[LogLine] = []
    texts: list[str] = []
    orders: list[int] = []
    joins = False
    for order, line in enumerate(log.lines):
        if joins:
            texts[-1] += line.text
        else:
            heads.append(line)
            texts.append(line.text)
            orders.append(order)
        joins = len(line.text) == width
    return Stream(log.name, heads, [strip_prefixes(text) for text in texts], first_order, orders)


def streams_of(log: LogText, first_order: int) -> tuple[Stream, ...]:
    """Give the log as a whole, and then, where several workers write into it, each worker's lines by themselves.

    A message of one line is found in the whole; one of several lines, which others have written between, in its own.
    """
    stripped = [strip_prefixes(line.text) for line in log.lines]
    whole = Stream(log.name, log.lines, stripped, first_order, range(len(stripped)))
    unwrapped = _unwrapped(log, first_order)
    if unwrapped is not None:
        return (whole, unwrapped)
    by_worker: dict[object, list[int]] = {}
    for index, one in enumerate(stripped):
        worker = one.rank if one.rank is not None else one.who
        if worker is not None:
            by_worker.setdefault(worker, []).append(index)
    if len(by_worker) < 2:  # noqa: PLR2004 - a single one is the whole
        return (whole,)
    return (
        whole,
        *(
            Stream(
                log.name,
                [log.lines[index] for index in indices],
                [stripped[index] for index in indices],
                first_order,
                indices,
            )
            for indices in by_worker.values()
        ),
    )

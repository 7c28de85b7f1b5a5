"""The newest reading, and all that a page says of it: one thread reads, any number of others look."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from dstop import __version__
from dstop.errors import SourceError
from dstop.export.metrics.moment import MOST_PROCESSES, Counts, Moment, Tally
from dstop.monitor.cost import cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.model.frame import Frame
    from dstop.monitor import Monitor


class _Read(NamedTuple):
    frame: Frame
    at_s: float
    took_s: float
    counts: Counts


class Newest:
    """Reads a machine, and keeps what came last.

    Args:
        monitor: what is read.
        most_processes: rows that get series of their own.
        monotonic: a clock that does not jump.
    """

    def __init__(
        self,
        monitor: Monitor,
        *,
        most_processes: int = MOST_PROCESSES,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monitor, self._most, self._monotonic = monitor, most_processes, monotonic
        self._tally = Tally()
        self._read: _Read | None = None

    def step(self, *, patience_s: float) -> Frame:
        """Read once.

        Raises:
            SourceError: when there has never been a sample.
        """
        began_s = self._monotonic()
        frame = self._monitor.step(patience_s=patience_s)
        now_s = self._monotonic()
        # Set at once: whoever looks has either the old reading or the new one, never parts of both.
        self._read = _Read(frame, now_s, now_s - began_s, self._tally.add(frame))
        return frame

    def moment(self) -> Moment:
        """Give what a page is written from; safe in any thread.

        Raises:
            SourceError: before the first step.
        """
        read = self._read
        if read is None:
            raise SourceError("nothing has been read yet", fix="try again in a moment")
        return Moment(
            frame=read.frame,
            age_s=self._monotonic() - read.at_s,
            read_s=read.took_s,
            cpu_s=cpu_seconds(),
            counts=read.counts,
            version=__version__,
            most_processes=self._most,
        )

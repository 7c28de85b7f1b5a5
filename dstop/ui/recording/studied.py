"""One device of a snapshot as the screen holds it: its study, the part in sight, and what has been found out so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.recording_title import RecordingFacts
from dstop.draw.timeline import Marks
from dstop.view.window import Window, window_of

if TYPE_CHECKING:
    from dstop.errors import DstopError
    from dstop.model.study import Curve, Failure, Moment
    from dstop.snapshot.study import DeviceStudy

MOST_SITES = 200
"""Nobody scrolls further; a filter looks through these."""


class Studied:
    """Made in a thread: all that every key needs is computed by then, and each key costs milliseconds."""

    def __init__(self, study: DeviceStudy) -> None:
        self.study = study
        self.marks = Marks(
            peak=study.peak,
            failures=tuple(failure.event for failure in study.failures),
            steps=study.attribution.steps,
            begin_us=study.time_us(0),
        )
        end_us = study.time_us(study.events)
        self.facts = RecordingFacts(
            events=study.events,
            span_us=None
            if self.marks.begin_us is None or end_us is None
            else max(0, end_us - self.marks.begin_us),
            steps=len(self.marks.steps),
            failures=len(self.marks.failures),
        )
        """For the title."""
        self.window: Window = window_of(study.events, self._first_look())
        self.answers: dict[str, object] = {}
        """What threads found out, by what was asked."""
        self.errors: dict[str, DstopError] = {}
        self.asked: set[str] = set()
        self._moment: Moment | None = None
        self._curve: tuple[tuple[int, int, int], Curve] | None = None
        self.curve(MOST_SITES)
        _ = self.moment

    def _first_look(self) -> int:
        """Begin where memory ran out; else where most was live."""
        return self.marks.failures[0] if self.marks.failures else self.marks.peak

    @property
    def moment(self) -> Moment:
        """What is live at the cursor."""
        position = self.window.cursor
        if self._moment is None or self._moment.event != position:
            self._moment = self.study.moment(position, MOST_SITES)
        return self._moment

    def curve(self, pieces: int) -> Curve:
        """Give what is in sight, in at most so many pieces."""
        key = (pieces, self.window.first, self.window.last)
        if self._curve is None or self._curve[0] != key:
            self._curve = (key, self.study.curve(pieces, self.window.first, self.window.last))
        return self._curve[1]

    @property
    def failure(self) -> Failure | None:
        """The out-of-memory error at the cursor, where there is one."""
        at = self.window.cursor
        return next((each for each in self.study.failures if each.event in {at, at - 1}), None)

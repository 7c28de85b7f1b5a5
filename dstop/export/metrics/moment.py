"""All that one page is written from: what was read last, how that went, and what has been counted since the start."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dstop.model.event import EventKind
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.model.event import Event
    from dstop.model.frame import Frame

MOST_PROCESSES = 512
MOST_FINDINGS = 128
OLD_STEPS = 3.0
LEAST_OLD_S = 10.0
"""A driver that is merely slow answers within seconds; a page must not call a machine down for that."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Counts(Value):
    """What has happened since the exporter began: counters have no other memory."""

    events: Mapping[EventKind, int] = field(default_factory=dict)
    xids: Mapping[int, int] = field(default_factory=dict)
    """Of each card, by its index."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Moment(Value):
    """What a scrape finds."""

    frame: Frame
    age_s: float
    """Seconds since the frame was made, by a clock that does not jump."""
    read_s: float | None = None
    """How long the reading took."""
    cpu_s: float | None = None
    """CPU time of the exporter so far."""
    counts: Counts = field(default_factory=Counts)
    version: str = ""
    most_processes: int = MOST_PROCESSES
    """Rows that get series of their own; the others are added up."""
    most_findings: int = MOST_FINDINGS

    @property
    def is_fresh(self) -> bool:
        """Whether the figures are those of the machine now: they came, and not long ago."""
        return self.frame.problem is None and self.age_s <= max(LEAST_OLD_S, OLD_STEPS * self.frame.step_s)


class Tally:
    """Counts the events of frames, each of which repeats the recent ones. One thread."""

    def __init__(self) -> None:
        self._last: Event | None = None
        self._events: Counter[EventKind] = Counter()
        self._xids: Counter[int] = Counter()

    def add(self, frame: Frame) -> Counts:
        """Count what is new in a frame, and give all that was counted."""
        events = frame.events
        begin = next((at for at in range(len(events) - 1, -1, -1) if events[at] is self._last), -1) + 1
        for event in events[begin:]:
            self._events[event.kind] += 1
            if event.kind is EventKind.XID and event.gpu_index is not None:
                self._xids[event.gpu_index] += 1
        if events:
            self._last = events[-1]
        return Counts(events=dict(self._events), xids=dict(self._xids))

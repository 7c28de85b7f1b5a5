"""Which events of a frame are new: a frame carries all recent ones, and who writes them down wants each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dstop.model.event import Event
    from dstop.model.frame import Frame


class NewEvents:
    """Remembers the last event that it gave."""

    def __init__(self) -> None:
        self._last: Event | None = None

    def of(self, frame: Frame) -> tuple[Event, ...]:
        """Give those that the frame before had not."""
        events = frame.events
        place = next((at for at in range(len(events) - 1, -1, -1) if events[at] is self._last), -1)
        if events:
            self._last = events[-1]
        return events[place + 1 :]

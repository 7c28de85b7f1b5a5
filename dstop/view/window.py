"""Which part of a recording is looked at, and where the cursor is in it: plain arithmetic on positions."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dstop.model.value import Value

LEAST_EVENTS = 8
"""No zoom shows fewer: a graph of two events says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Window(Value):
    """Positions `first` to `last` of 0 to `events`, both seen; the cursor is always among them."""

    events: int
    first: int
    last: int
    cursor: int

    @property
    def is_whole(self) -> bool:
        """Whether all of the recording is seen."""
        return self.first == 0 and self.last == self.events

    def at(self, position: int) -> Window:
        """Put the cursor at a position, the nearest there is; the window follows where it would leave it."""
        cursor = max(0, min(position, self.events))
        size = self.last - self.first
        first = self.first
        if cursor < self.first or cursor > self.last:
            first = max(0, min(cursor - size // 2, self.events - size))
        return replace(self, first=first, last=first + size, cursor=cursor)

    def zoomed(self, factor: float) -> Window:
        """Show `factor` times as many events, the cursor at the same place of the picture where it can stay there."""
        least = min(self.events, LEAST_EVENTS)
        size = self.last - self.first
        wanted = max(least, min(self.events, round(size * factor)))
        place = (self.cursor - self.first) / size if size else 0.0
        first = max(0, min(self.cursor - round(place * wanted), self.events - wanted))
        return replace(self, first=first, last=first + wanted)

    def whole(self) -> Window:
        """Show everything."""
        return replace(self, first=0, last=self.events)


def window_of(events: int, cursor: int) -> Window:
    """Begin with everything in sight."""
    return Window(events=events, first=0, last=events, cursor=max(0, min(cursor, events)))

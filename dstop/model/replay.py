"""Where a replay is: what makes it plain that a screen shows the past."""

from __future__ import annotations

import time
from dataclasses import dataclass

from dstop.model.value import Value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Replay(Value):
    """The place in a recording; all times in nanoseconds since the epoch, by the clock of the recorded machine."""

    at_ns: int
    begin_ns: int
    end_ns: int
    speed: float = 1.0
    """Seconds of the recording per second."""
    ended: bool = False
    """Whether there is nothing after this."""
    notice: str | None = None
    """What cannot be shown of the file: `its end is cut off`."""

    @property
    def label(self) -> str:
        """What stands on every face: that it is a recording, and of when, in this machine's time zone."""
        return time.strftime("REPLAY %Y-%m-%d %H:%M:%S", time.localtime(self.at_ns / 1e9))

    @property
    def passed_s(self) -> float:
        """Seconds from the beginning of the recording."""
        return (self.at_ns - self.begin_ns) / 1e9

    @property
    def length_s(self) -> float:
        """Seconds that it takes in all."""
        return (self.end_ns - self.begin_ns) / 1e9

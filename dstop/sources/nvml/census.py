"""How many GPUs there are: a job of its own, since the number may change and the question may hang."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dstop.sources.nvml.due import SLOW_S, Due
from dstop.sources.nvml.reasons import is_absent

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.sources.nvml.binding import Driver

MAX_GPUS = 256


class Census:
    """Counts the GPUs in the slow class. One that left stays as a tombstone; one that came gets a card."""

    def __init__(self, driver: Driver, count: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.count = count
        self._driver, self._clock = driver, clock
        self._due = Due(SLOW_S)
        self._due.now(clock())

    def prompt(self) -> None:
        """Count again when it is time."""
        if not self._due.now(self._clock()):
            return
        count = self._driver.ask("nvmlDeviceGetCount")
        if not is_absent(count):
            self.count = max(0, min(int(count), MAX_GPUS))

    def linger(self) -> None:
        """Do nothing: counting is quick."""

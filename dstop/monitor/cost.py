"""What dstop itself takes from the host: a monitor should not hide its own cost."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from dstop.model.frame import OwnCost

if TYPE_CHECKING:
    from collections.abc import Callable


def cpu_seconds() -> float:
    """Give the CPU time of this process so far, user and system, children that ended included."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def resident_bytes() -> int | None:
    """Give this process's resident memory from `/proc/self/statm`, or None where there is no such file."""
    try:
        with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123 - pathlib costs three milliseconds of start
            pages = int(statm.read(128).split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


_LEAST_S = 0.2
"""CPU time comes in ticks of 10 ms: over less than this it is noise, such as 200 %, when a key asks for a reading."""


class CostMeter:
    """Measures from one call to the next."""

    def __init__(
        self,
        *,
        cpu: Callable[[], float] = cpu_seconds,
        resident: Callable[[], int | None] = resident_bytes,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cpu, self._resident, self._monotonic = cpu, resident, monotonic
        self._cpu_s, self._at_s = cpu(), monotonic()
        self._last: OwnCost | None = None

    def since_last(self) -> OwnCost | None:
        """Give the share of one core since the last call, and the memory now; None when it cannot be had."""
        cpu_s, at_s = self._cpu(), self._monotonic()
        used_s, passed_s = cpu_s - self._cpu_s, at_s - self._at_s
        if 0 < passed_s < _LEAST_S and self._last is not None:
            return self._last
        self._cpu_s, self._at_s = cpu_s, at_s
        rss = self._resident()
        if passed_s <= 0 or rss is None:
            return None
        self._last = OwnCost(cpu_pct=100 * max(0.0, used_s) / passed_s, rss_bytes=rss)
        return self._last

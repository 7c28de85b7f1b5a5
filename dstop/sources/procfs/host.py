"""The machine round the GPUs, by its own counters; within a container, by what the container may have."""

from __future__ import annotations

import math
import os
import time
from typing import TYPE_CHECKING

from dstop.model.host import Host
from dstop.sources.procfs.limits import (
    cpu_files,
    memory_files,
    read_cpu_quota,
    read_cpu_usage_s,
    read_memory_limit,
)
from dstop.sources.procfs.namespace import own_container
from dstop.sources.procfs.reading import as_count, clean, read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MOST_KIB = 2**53
_SHORTEST_S = 0.05
_COUNTED = 8
"""Columns of `/proc/stat` that add up to all time; the first two contain the guests' (proc_stat(5))."""


class HostReader:
    """Reads the host again and again; the CPU share needs two readings. One thread at a time."""

    def __init__(
        self,
        root: str = "/",
        *,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look at where we are, once.

        Args:
            root: of the file system that holds `proc` and `sys`.
            environ: dstop's own environment, unless another is given.
            clock: seconds that never go back.
        """
        self._proc = f"{root.rstrip('/')}/proc"
        self._clock = clock
        self._name = clean(os.uname().nodename) or "localhost"
        self._container = own_container(root, environ)
        inside = self._container is not None
        self._memory = memory_files(root) if inside else None
        self._cpu = cpu_files(root) if inside else None
        self._cores = os.cpu_count()
        self._before: tuple[float, float] | None = None
        self._share: float | None = None

    def read(self) -> Host:
        """Read the host; what the kernel does not say is None."""
        quota = None if self._cpu is None else read_cpu_quota(self._cpu)
        if quota is not None and self._cores is not None and quota >= self._cores:
            quota = None
        total, used, swap_total, swap_used = self._memory_figures()
        return Host(
            name=self._name,
            cpu_count=self._cores if quota is None else max(1, math.ceil(quota)),
            cpu_pct=self._cpu_pct(quota),
            load_1=_number(read_text(f"{self._proc}/loadavg", 256)),
            memory_total_bytes=total,
            memory_used_bytes=used,
            swap_total_bytes=swap_total,
            swap_used_bytes=swap_used,
            uptime_s=_number(read_text(f"{self._proc}/uptime", 256)),
            container=self._container,
        )

    def _memory_figures(self) -> tuple[int | None, int | None, int | None, int | None]:
        """Give total and used memory, total and used swap, in bytes."""
        figures = _meminfo(read_text(f"{self._proc}/meminfo") or "")
        total, available = figures.get("MemTotal"), figures.get("MemAvailable")
        if available is None and "MemFree" in figures:
            available = sum(figures.get(name, 0) for name in ("MemFree", "Buffers", "Cached"))
        used = None if total is None or available is None else max(0, total - available)
        limit = None if self._memory is None else read_memory_limit(self._memory)
        if limit is not None and (total is None or limit[0] < total):
            total, used = limit
        swap_total, swap_free = figures.get("SwapTotal"), figures.get("SwapFree")
        swap_used = None if swap_total is None or swap_free is None else max(0, swap_total - swap_free)
        return total, used, swap_total, swap_used

    def _cpu_pct(self, quota: float | None) -> float | None:
        """Give the used share of all CPU time since the last reading, of our quota if we have one."""
        now = self._by_quota(quota) if quota is not None else self._by_ticks()
        before = self._before
        if now is None:
            return None
        if before is None or now[1] < before[1]:
            self._before = now
            return None
        if now[1] - before[1] >= _SHORTEST_S:
            self._share = min(100.0, max(0.0, 100.0 * (now[0] - before[0]) / (now[1] - before[1])))
            self._before = now
        return self._share

    def _by_quota(self, quota: float) -> tuple[float, float] | None:
        used = None if self._cpu is None else read_cpu_usage_s(self._cpu)
        return None if used is None else (used, self._clock() * quota)

    def _by_ticks(self) -> tuple[float, float] | None:
        """Give ticks of work and of everything; waiting for a disk is no work."""
        text = read_text(f"{self._proc}/stat", 4096) or ""
        line = text.partition("\n")[0]
        ticks = [as_count(word, 2**63) for word in line.removeprefix("cpu ").split()[:_COUNTED]]
        known = [tick for tick in ticks if tick is not None]
        if not line.startswith("cpu ") or len(known) < 5 or len(known) != len(ticks):  # noqa: PLR2004 - up to iowait
            return None
        return float(sum(known) - known[3] - known[4]), float(sum(known))


def _meminfo(text: str) -> dict[str, int]:
    """Read `Name:  123 kB` lines as bytes."""
    figures: dict[str, int] = {}
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        words = rest.split()
        number = as_count(words[0], _MOST_KIB) if colon and words else None
        if number is not None:
            figures[name] = number * 1024
    return figures


def _number(text: str | None) -> float | None:
    """Read the first word of a file as a number of 0 or more."""
    words = (text or "").split()
    try:
        number = float(words[0])
    except (IndexError, ValueError):
        return None
    return number if 0 <= number < math.inf else None

"""One process in one read: `/proc/PID/stat` (proc_pid_stat(5)), the only file that is read at every refresh.

It never waits for the process: the kernel answers it without the lock that a hung driver call may hold.
"""

from __future__ import annotations

import functools
import os
import resource
from typing import TYPE_CHECKING, NamedTuple

from dstop.sources.procfs.reading import clean_bytes, read_bytes

if TYPE_CHECKING:
    from collections.abc import Container

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

SAME_START_S = 0.02
"""Two ticks: what a start time may lose by being written and read. Numbers are not reused that fast."""

_STAT_BYTES = 1024
_FOR_OTHERS = 256
"""Descriptors left to the driver, the terminal and everything else."""

_STATES = frozenset("RSDTtZXxKWPI")


class Stat(NamedTuple):
    """What one line of `stat` says. A tuple, because a thousand of them are made at every refresh."""

    pid: int
    comm: str
    """The first 15 bytes of the name: of the executable, or what the process calls itself."""
    state: str
    """The kernel's letter: R, S, D, T, Z, …"""
    ppid: int
    cpu_ticks: int
    """User and system time so far, in ticks of `TICKS_PER_S`."""
    threads: int
    start_ticks: int
    """Since boot; with the PID it tells a process from the next one that gets its number."""
    rss_bytes: int


def read_stat(pid: int, root: str = "/proc") -> Stat | None:
    """Read one process; None when there is none of that number, or none that we may see."""
    try:
        data = read_bytes(f"{root}/{pid}/stat", _STAT_BYTES)
    except OSError:
        return None
    stat = parse_stat(data)
    return stat if stat is not None and stat.pid == pid else None


class StatFiles:
    """Reads the same processes again and again through files that stay open, which costs a third less.

    A file of `/proc` is of one process for ever: once that ends it says ESRCH, whoever gets the number next.
    """

    def __init__(self, root: str = "/proc", *, most_open: int | None = None) -> None:
        """Open nothing yet.

        Args:
            root: where the process file system is.
            most_open: how many files may stay open; by default what the limit of this process leaves.
        """
        self._root = root
        self._most_open = _spare_descriptors() if most_open is None else most_open
        self._open: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._open)

    def read(self, pid: int) -> Stat | None:
        """Read one process, as `read_stat` does."""
        descriptor = self._open.get(pid)
        if descriptor is not None:
            try:
                stat = parse_stat(os.pread(descriptor, _STAT_BYTES, 0))
            except OSError:
                stat = None
            if stat is not None and stat.pid == pid:
                return stat
            self._close(pid)
        return self._first(pid)

    def keep(self, pids: Container[int]) -> None:
        """Close the files of all other processes."""
        for pid in [pid for pid in self._open if pid not in pids]:
            self._close(pid)

    def close(self) -> None:
        """Close every file, and keep none open from now on."""
        self._most_open = 0
        self.keep(())

    def _first(self, pid: int) -> Stat | None:
        if len(self._open) >= self._most_open:
            return read_stat(pid, self._root)
        try:
            descriptor = os.open(f"{self._root}/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        self._open[pid] = descriptor
        try:
            stat = parse_stat(os.pread(descriptor, _STAT_BYTES, 0))
            lasting = os.fstat(descriptor).st_size == 0
        except OSError:
            stat, lasting = None, False
        if stat is None or stat.pid != pid or not lasting:
            self._close(pid)
        return stat if stat is not None and stat.pid == pid else None

    def _close(self, pid: int) -> None:
        descriptor = self._open.pop(pid, None)
        if descriptor is not None:
            os.close(descriptor)


def _spare_descriptors() -> int:
    """Give how many files may stay open: most of what the soft limit allows, which is often 1024."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2048 if soft == resource.RLIM_INFINITY else max(0, min(2048, soft - _FOR_OTHERS))


def parse_stat(data: bytes) -> Stat | None:
    """Take a `stat` line apart; None when it is not one.

    The name stands in parentheses and may hold parentheses, spaces and newlines: the last `)` ends it.
    """
    opening, closing = data.find(b" ("), data.rfind(b") ")
    fields = data[closing + 2 :].split(None, 22)
    if opening < 0 or closing < opening or len(fields) < 22:  # noqa: PLR2004 - rss is the 22nd after the name
        return None
    try:
        state = fields[0].decode("ascii")
        stat = Stat(
            int(data[:opening]),
            clean_bytes(data[opening + 2 : closing]),
            state,
            int(fields[1]),
            int(fields[11]) + int(fields[12]),
            int(fields[17]),
            int(fields[19]),
            int(fields[21]) * PAGE_BYTES,
        )
    except ValueError:
        return None
    return (
        stat
        if state in _STATES and min(stat.ppid, stat.cpu_ticks, stat.start_ticks, stat.rss_bytes) >= 0
        else None
    )


@functools.lru_cache(maxsize=16)
def boot_time_s(root: str = "/proc") -> float | None:
    """Give the time of boot in seconds since the epoch (`btime` of `/proc/stat`), or None.

    Read once: the kernel derives it from the clock, and setting that must not make every process another one.
    """
    try:
        data = read_bytes(f"{root}/stat", 1 << 20)
    except OSError:
        return None
    head, found, rest = data.partition(b"\nbtime ")
    if not found:
        rest = head.removeprefix(b"btime ") if head.startswith(b"btime ") else b""
    word = rest.split(b"\n", 1)[0].strip()
    return float(word) if word.isdigit() and 0 < len(word) < 12 else None  # noqa: PLR2004 - a time, not garbage


def started_at_s(start_ticks: int, root: str = "/proc") -> float | None:
    """Turn a start in ticks since boot into seconds since the epoch; None without a boot time."""
    boot_s = boot_time_s(root)
    return None if boot_s is None else boot_s + start_ticks / TICKS_PER_S


def same_start(stat: Stat, started_at: float | None, root: str = "/proc") -> bool:
    """Whether a process started then (seconds since the epoch); an unknown start is nobody's."""
    now_s = started_at_s(stat.start_ticks, root)
    return now_s is not None and started_at is not None and abs(now_s - started_at) <= SAME_START_S

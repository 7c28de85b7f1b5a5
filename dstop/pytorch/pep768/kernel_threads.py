"""The kernel's side of a target's threads: their numbers, and whether they have run lately (proc_pid_task(5))."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from dstop.sources.procfs.reading import as_count, read_bytes, read_text
from dstop.sources.procfs.stat import TICKS_PER_S, parse_stat

if TYPE_CHECKING:
    from collections.abc import Iterable

OLD_ENOUGH_S = 1.0
"""Younger threads are left alone: those that come and go would be gone while they are written to."""


def living_threads(pid: int, inner_pid: int, root: str = "/proc") -> dict[int, int]:
    """Give the threads of a process that are there to stay: number in its own PID namespace -> number in ours.

    CPython knows its threads by the numbers of its own namespace. The main thread is always there to stay.
    """
    try:
        numbers = [int(name) for name in os.listdir(f"{root}/{pid}/task")]  # noqa: PTH208 - names, not paths
    except OSError:
        return {}
    old = [number for number in numbers if number == pid or _age_s(pid, number, root) >= OLD_ENOUGH_S]
    if inner_pid == pid:
        return {number: number for number in old}
    return {_inner(pid, number, root): number for number in old}


def switches(pid: int, threads: Iterable[int], root: str = "/proc") -> dict[int, int]:
    """Count how often each thread has begun or ceased to run; one that sleeps on does neither."""
    return {thread: _switches(read_text(f"{root}/{pid}/task/{thread}/status") or "") for thread in threads}


def _switches(status: str) -> int:
    names = ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")
    pairs = (line.split(":") for line in status.splitlines() if line.startswith(names))
    return sum(as_count(pair[1].strip(), 2**63) or 0 for pair in pairs)


def _age_s(pid: int, thread: int, root: str) -> float:
    try:
        stat = parse_stat(read_bytes(f"{root}/{pid}/task/{thread}/stat", 1024))
    except OSError:
        return 0.0
    if stat is None:
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - stat.start_ticks / TICKS_PER_S


def _inner(pid: int, thread: int, root: str) -> int:
    status = read_text(f"{root}/{pid}/task/{thread}/status") or ""
    line = next((line for line in status.splitlines() if line.startswith("NSpid:")), "")
    return as_count(line.rpartition("\t")[2]) or thread

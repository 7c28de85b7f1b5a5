"""A guest for a while: attach, detach, and what of the target's threads, descriptors and memory it holds."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dstop.errors import DstopError
from dstop.pytorch.attach import attach

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.pytorch.client import Client

PATIENCE_S = 20.0
AFTERWARDS_S = 3.0
"""How long a guest that was told to go may take to be gone."""


class Held(NamedTuple):
    """What a process holds now."""

    threads: int
    descriptors: int
    maps: int
    rss_bytes: int


def held(pid: int) -> Held:
    """Read what the process holds."""
    root = Path("/proc", str(pid))
    status = (root / "status").read_text(encoding="utf-8", errors="replace")
    rss_kib = int(status.split("VmRSS:", 1)[1].split()[0])
    with (root / "maps").open("rb") as maps:
        lines = sum(1 for _ in maps)
    return Held(len(threads(pid)), len(list((root / "fd").iterdir())), lines, rss_kib * 1024)


def threads(pid: int) -> frozenset[int]:
    """Give the ids of its threads."""
    return frozenset(int(task.name) for task in Path(f"/proc/{pid}/task").iterdir())


@contextmanager
def guest(pid: int) -> Iterator[Client]:
    """Attach, give the client, and detach; waits until the guest's thread has ended."""
    before = threads(pid)
    with attach(pid, timeout_s=PATIENCE_S, without_torch=True).client as client:
        try:
            yield client
        finally:
            with suppress(DstopError):
                client.ask("detach", timeout_s=PATIENCE_S)
    deadline = time.monotonic() + AFTERWARDS_S
    while len(threads(pid)) > len(before) and time.monotonic() < deadline:
        time.sleep(0.002)


def cpu_ns(pid: int, only: frozenset[int]) -> int:
    """Give the processor time of some threads, as the scheduler counts it (the first figure of schedstat)."""
    return sum(_schedstat(pid, thread)[0] for thread in only)


def queued_ns(pid: int) -> int:
    """Give how long the main thread has been ready to run and had no processor: the machine's doing, no guest's."""
    return _schedstat(pid, pid)[1]


def _schedstat(pid: int, thread: int) -> tuple[int, int]:
    """Read what the scheduler counted for a thread: ns on a processor, ns waiting for one; nought when it is gone.

    Source: Documentation/scheduler/sched-stats.rst of the kernel.
    """
    with suppress(OSError):
        first, second, *_ = Path(f"/proc/{pid}/task/{thread}/schedstat").read_text(encoding="ascii").split()
        return int(first), int(second)
    return 0, 0


def wakeups(pid: int, only: frozenset[int]) -> int:
    """Give how often threads have gone to sleep of their own will: once for each time they were woken."""
    total = 0
    for thread in only:
        with suppress(OSError):
            text = Path(f"/proc/{pid}/task/{thread}/status").read_text(encoding="utf-8", errors="replace")
            total += int(text.split("\nvoluntary_ctxt_switches:", 1)[1].split()[0])
    return total

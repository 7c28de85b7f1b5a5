"""Which threads a process has, and which of them sleep where they may be borrowed."""

from __future__ import annotations

import os

from dstop.pytorch.inject.safe_point import holds_no_lock


def thread_numbers(pid: int) -> list[int]:
    """Give the thread ids of a process, the main thread's first; empty when it has ended."""
    try:
        found = sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208 - no pathlib here
    except OSError:
        return []
    return sorted(found, key=lambda thread: thread != pid)


def sleeps_safely(pid: int, thread: int) -> bool:
    """Tell whether a thread seems to wait in a call of rule 1; looked at from outside, without stopping it."""
    try:
        with open(f"/proc/{pid}/task/{thread}/syscall", encoding="utf-8") as file:  # noqa: PTH123 - no pathlib here
            return waits_safely(file.read(256))
    except OSError:
        return False


def waits_safely(text: str) -> bool:
    """Read one line of /proc/PID/task/TID/syscall (proc(5)): number, arguments, or `running`."""
    fields = text.split()
    try:
        return holds_no_lock(int(fields[0]), int(fields[2], 16))
    except (IndexError, ValueError):
        return False

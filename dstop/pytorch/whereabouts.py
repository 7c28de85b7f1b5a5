"""Where the main thread of a process is, for the sentence that says what it is waited for."""

from __future__ import annotations

import platform

from dstop.sources.procfs.reading import clean, read_text
from dstop.sources.procfs.stat import read_stat

_SYSTEM_CALLS = {
    0: "read",
    1: "write",
    7: "poll",
    9: "mmap",
    16: "ioctl",
    23: "select",
    28: "madvise",
    34: "pause",
    35: "nanosleep",
    42: "connect",
    43: "accept",
    45: "recvfrom",
    47: "recvmsg",
    61: "wait4",
    74: "fsync",
    202: "futex",
    230: "clock_nanosleep",
    232: "epoll_wait",
    247: "waitid",
    270: "pselect6",
    271: "ppoll",
    281: "epoll_pwait",
}
"""Those in which programs wait (arch/x86/entry/syscalls/syscall_64.tbl)."""


def whereabouts(pid: int, root: str = "/proc") -> str:
    """Say where the main thread is: `its main thread runs native code`, `… waits in futex`."""
    stat = read_stat(pid, root)
    words = (read_text(f"{root}/{pid}/syscall", 256) or "").split()
    if stat is not None and stat.state == "D":
        place = clean((read_text(f"{root}/{pid}/wchan", 128) or "").strip())
        return f"its main thread hangs in the kernel{f' ({place})' if place not in {'', '0'} else ''}"
    if words[:1] == ["running"]:
        return "its main thread runs code"
    if words and words[0].isdigit() and platform.machine() == "x86_64":
        name = _SYSTEM_CALLS.get(int(words[0]))
        return f"its main thread waits in {name or f'system call {int(words[0])}'}"
    return "where its main thread is cannot be seen"

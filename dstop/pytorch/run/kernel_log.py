"""What the kernel says while a command runs: whom it killed for want of memory, and which errors GPUs reported."""

from __future__ import annotations

import os
import re

from dstop.sources.procfs.reading import clean

KERNEL_LOG = "/dev/kmsg"

_MOST_LINES = 100
_MOST_RECORDS = 20_000
_LONGEST_RECORD = 8192
"""A record is given whole or not at all: linux, Documentation/ABI/testing/dev-kmsg."""

_TELLING = re.compile(
    r"NVRM: |oom[-_ ]kill|oom_reaper|[Oo]ut of memory|Killed process|segfault at|general protection"
)


def is_telling(message: str) -> bool:
    """Whether a message is about memory, GPUs or a process that crashed."""
    return _TELLING.search(message) is not None


class KernelLog:
    """The kernel's messages from now on. Where they may not be read, `reason` says why."""

    def __init__(self, path: str = KERNEL_LOG) -> None:
        self.reason: str | None = None
        self._descriptor: int | None = None
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self._descriptor, 0, os.SEEK_END)
        except PermissionError:
            self.reason = "the kernel log may be read by root alone here (kernel.dmesg_restrict)"
        except OSError as error:
            self.reason = f"the kernel log cannot be read: {error.strerror}"

    def lines(self) -> tuple[str, ...]:
        """Give the telling ones of the messages since the start, at most 100, the newest."""
        found: list[str] = []
        for record in self._records():
            for line in record.splitlines():
                message = _message(line)
                if is_telling(message):
                    found.append(clean(message))
        return tuple(found[-_MOST_LINES:])

    def close(self) -> None:
        """Give the descriptor back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _records(self) -> list[str]:
        found: list[str] = []
        for _ in range(_MOST_RECORDS if self._descriptor is not None else 0):
            try:
                data = os.read(self._descriptor or 0, _LONGEST_RECORD)
            except BrokenPipeError:
                continue  # the oldest were overwritten meanwhile; the next read goes on after the gap
            except OSError:
                break  # nothing more for now
            if not data:
                break
            found.append(data.decode(errors="replace"))
        return found


def _message(line: str) -> str:
    """Strip what stands before the text: `priority,sequence,microseconds,flags;text`."""
    head, separator, message = line.partition(";")
    return message if separator and head[:1].isdigit() and "," in head else line

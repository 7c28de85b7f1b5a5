"""What the kernel said of killing for memory and of GPU errors, within a window of time."""

from __future__ import annotations

import os
import time

from dstop.doctor.text.read import log_of_text
from dstop.doctor.text.values import LogText
from dstop.pytorch.run.kernel_log import KERNEL_LOG, is_telling

_MOST_RECORDS = 50_000
_RECORD_BYTES = 8192
_LONGEST_S = 0.5
_MOST_LINES = 400


def kernel_log(since_s: float, path: str = KERNEL_LOG) -> LogText:
    """Read the telling lines of the last `since_s` seconds; where it may not be read, a note says so.

    A record is `priority,sequence,microseconds since boot,flags;text` (linux, Documentation/ABI/testing/dev-kmsg).
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:
        note = "the kernel log may be read by root alone here: sudo dmesg -T | dstop doctor -"
        return LogText(name="kernel log", notes=(note,))
    except OSError as error:
        return LogText(name="kernel log", notes=(f"the kernel log cannot be read: {error.strerror}",))
    try:
        lines = _lines(descriptor, time.clock_gettime(time.CLOCK_BOOTTIME) - since_s)
    finally:
        os.close(descriptor)
    if not lines:
        return LogText(name="kernel log")
    return log_of_text("\n".join(lines[-_MOST_LINES:]), "kernel log")


def _lines(descriptor: int, from_s: float) -> list[str]:
    found: list[str] = []
    deadline = time.monotonic() + _LONGEST_S
    for _ in range(_MOST_RECORDS):
        try:
            record = os.read(descriptor, _RECORD_BYTES)
        except BrokenPipeError:
            continue  # the oldest were overwritten meanwhile; the next read goes on after the gap
        except OSError:
            break  # no more for now
        if not record or time.monotonic() > deadline:
            break
        head, _, text = record.decode(errors="replace").partition(";")
        stamp = head.split(",")[2:3]
        if not stamp or not stamp[0].isdigit() or int(stamp[0]) / 1e6 < from_s:
            continue
        message = text.partition("\n")[0]
        if is_telling(message):
            found.append(f"[{int(stamp[0]) / 1e6:12.6f}] {message}")
    return found

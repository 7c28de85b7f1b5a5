"""What the kernel's log says of GPUs and of processes killed for memory, as far back as it goes."""

from __future__ import annotations

import errno
import os
import re
import time

from dstop.doctor.environment.facts import KernelLogFacts, XidRecord
from dstop.doctor.environment.gathering.files import read_regular
from dstop.sources.procfs.reading import as_count, clean

_FILES = ("var/log/kern.log", "var/log/messages", "var/log/syslog", "var/log/dmesg")
_TAIL_BYTES = 1 << 20
_MOST_RECORDS = 20_000
_RECORD_BYTES = 8192
_LONGEST_S = 0.2
_MOST_KEPT = 100

_XID = re.compile(r"NVRM: Xid \(PCI:([0-9a-fA-F:.]{5,20})\): (\d{1,4})\b")
_KILL = re.compile(r"Killed process (\d{1,9}) \(([^)\n]{1,40})\)")
_RESTRICTED = "the kernel log may be read by root alone here (kernel.dmesg_restrict)"


def read_kernel_log(root: str) -> KernelLogFacts:
    """Read the ring of messages, or the log files where it may not be read."""
    base = root.rstrip("/")
    records, reason = _ring(f"{base}/dev/kmsg")
    if records is not None:
        return _told(records, "/dev/kmsg", _uptime_s(base))
    for name in _FILES:
        text = read_regular(f"{base}/{name}", _TAIL_BYTES, tail=True)
        if text is not None:
            return _told(text.splitlines(), f"/{name}", None)
    return KernelLogFacts(reason=reason)


def _ring(path: str) -> tuple[list[str] | None, str | None]:
    """Give the messages of the ring, oldest first, or None and the reason."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return None, _why(error)
    found: list[str] = []
    deadline = time.monotonic() + _LONGEST_S
    try:
        for _ in range(_MOST_RECORDS):
            try:
                data = os.read(descriptor, _RECORD_BYTES)
            except BrokenPipeError:
                continue  # the oldest were overwritten meanwhile; the next read goes on after the gap
            except BlockingIOError:
                break
            except OSError as error:
                return (found or None), _why(error)
            if not data or time.monotonic() > deadline:
                break
            if b"NVRM: Xid" in data or b"Killed process" in data:
                found += data.decode(errors="replace").splitlines()
    finally:
        os.close(descriptor)
    return found, None


def _why(error: OSError) -> str:
    if error.errno in (errno.EPERM, errno.EACCES):
        return _RESTRICTED
    return f"the kernel log cannot be read: {error.strerror}"


def _told(lines: list[str], source: str, uptime_s: float | None) -> KernelLogFacts:
    xids: list[XidRecord] = []
    kills: list[str] = []
    for line in lines:
        xid, kill = _XID.search(line), _KILL.search(line)
        if xid is not None:
            xids.append(XidRecord(int(xid[2]), xid[1], _age_s(line, uptime_s)))
        if kill is not None:
            kills.append(f"{clean(kill[2])} ({kill[1]})")
    return KernelLogFacts(source=source, xids=tuple(xids[-_MOST_KEPT:]), kills=tuple(kills[-_MOST_KEPT:]))


def _age_s(line: str, uptime_s: float | None) -> float | None:
    """Give the age of `priority,sequence,microseconds,flags;text`."""
    parts = line.partition(";")[0].split(",")
    micros = as_count(parts[2], 2**63) if len(parts) > 3 else None  # noqa: PLR2004 - four fields before the text
    return None if micros is None or uptime_s is None else max(0.0, uptime_s - micros / 1e6)


def _uptime_s(base: str) -> float | None:
    words = (read_regular(f"{base}/proc/uptime", 128) or "").split()
    try:
        return float(words[0])
    except (IndexError, ValueError):
        return None

"""Sending a signal to a process, and never to the next one that got its number."""

from __future__ import annotations

import errno
import os
import signal

from dstop.errors import DstopError, UsageError
from dstop.sources.procfs.stat import read_stat, same_start


def send_signal(pid: int, started_at: float | None, signum: int, root: str = "/proc") -> None:
    """Send a signal to the process that had this number and start time.

    The kernel's handle on the process (pidfd_open(2)) is taken first and its start is compared then: a reused
    number is never hit. A kernel without handles leaves microseconds between the comparison and `kill`.

    Args:
        pid: its number.
        started_at: seconds since the epoch, as `ProcessFacts.started_at_s`.
        signum: such as `signal.SIGTERM`.
        root: where the process file system is.

    Raises:
        UsageError: the process or signal is none that one can ask for.
        DstopError: it is gone, it is another process now, or it is not ours.
    """
    _refuse(pid, started_at, signum)
    handle = _open(pid)
    try:
        _compare(pid, started_at, root)
        if handle is None:
            os.kill(pid, signum)
        else:
            signal.pidfd_send_signal(handle, signum)
    except ProcessLookupError:
        raise _gone(pid) from None
    except PermissionError:
        raise DstopError(
            f"process {pid} is not yours: permission denied", fix="run dstop as its owner or as root"
        ) from None
    finally:
        if handle is not None:
            os.close(handle)


def _refuse(pid: int, started_at: float | None, signum: int) -> None:
    if pid <= 1:
        raise UsageError(f"PID {pid} gets no signal from dstop: it stands for the whole system")
    if pid == os.getpid():
        raise UsageError("that is dstop itself", fix="press q to quit")
    if signum not in signal.valid_signals():
        raise UsageError(f"{signum} is no signal of this system")
    if started_at is None:
        raise UsageError(
            f"process {pid} is not visible from here, so nothing tells it from another",
            fix="send the signal on the host, or run dstop with --pid=host",
        )


def _open(pid: int) -> int | None:
    """Take the kernel's handle; None where the kernel or a sandbox has none."""
    if not hasattr(os, "pidfd_open") or not hasattr(signal, "pidfd_send_signal"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        if error.errno == errno.ESRCH:
            raise _gone(pid) from None
        return None


def _compare(pid: int, started_at: float | None, root: str) -> None:
    stat = read_stat(pid, root)
    if stat is None:
        raise _gone(pid)
    if not same_start(stat, started_at, root):
        raise DstopError(f"process {pid} has ended and its number is another process now: nothing was sent")


def _gone(pid: int) -> DstopError:
    return DstopError(f"process {pid} is gone: nothing was sent")

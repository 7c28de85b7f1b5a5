"""One dstop at a time goes into a process: the others wait with it for the hook."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import time
from typing import TYPE_CHECKING

from dstop.pytorch.rendezvous import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dstop.pytorch.rendezvous import Place
    from dstop.pytorch.target import Target

LOCK_NAME = "attach.lock"

_POLL_S = 0.01


@contextlib.contextmanager
def turn(
    target: Target,
    place: Place,
    *,
    deadline_s: float,
    arrived: Callable[[], bool],
    waiting: Callable[[], None],
    root: str = "/proc",
) -> Iterator[bool]:
    """Wait for our turn; gives whether it is ours, False when the hook came or the time ended meanwhile.

    A lock on one byte of one file, the one with the number of the process: the kernel lets go of it when its holder
    ends, however that ends, and nothing has to be removed. Whoever cannot lock there goes without.

    Args:
        target: the process.
        place: where its socket will be.
        deadline_s: until when to wait, by the monotonic clock.
        arrived: whether the hook is there.
        waiting: called once when there is something to wait for.
        root: where the process file system is.
    """
    try:
        descriptor = _open(target, place, root)
    except OSError:
        yield True
        return
    try:
        told = False
        while not (ours := _lock(descriptor, target.inner_pid)):
            if arrived() or time.monotonic() >= deadline_s:
                break
            if not told:
                told = True
                waiting()
            time.sleep(_POLL_S)
        yield ours
    finally:
        os.close(descriptor)


def _open(target: Target, place: Place, root: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with opened(target, place.directory, root) as folder:
        return os.open(LOCK_NAME, flags, 0o600, dir_fd=folder)


def _lock(descriptor: int, byte: int) -> bool:
    """Try to lock one byte (an open file description lock, fcntl_locking(2)): by this descriptor, not by dstop."""
    wanted = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, wanted)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True

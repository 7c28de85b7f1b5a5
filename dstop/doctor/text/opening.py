"""Opening what somebody named as a log: a file, or a pipe that may never say anything; nothing else."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

from dstop.errors import DstopError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK_BYTES = 1 << 20
_UNKNOWN_SIZE_BYTES = 64 << 20
"""Of a file without a size (procfs), at most."""
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def open_log(path: Path) -> int:
    """Open a file or a named pipe, without waiting.

    Raises:
        DstopError: when there is none, it may not be read, or it is something else.
    """
    try:
        descriptor = os.open(path, _OPEN)
    except FileNotFoundError as error:
        raise DstopError(f"there is no {path}", fix="check the name of the log") from error
    except PermissionError as error:
        raise DstopError(f"{path} may not be read", fix="check whose it is, or use sudo") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise DstopError(f"cannot read {path}: {why}", fix="name a log, or pipe it in") from error
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISREG(kind) or stat.S_ISFIFO(kind):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(kind):
        raise DstopError(f"{path} is a directory", fix="name a log in it")
    raise DstopError(f"{path} is a device and no log", fix="name a file, or pipe the log in")


def read_chunks(
    descriptor: int, name: str, notes: list[str], first_patience_s: float, patience_s: float
) -> Iterator[bytes]:
    """Read a descriptor of `open_log` to its end: of a file, to where its end was when it was opened.

    Args:
        descriptor: stays open.
        name: for errors.
        notes: takes what is odd.
        first_patience_s: how long a pipe may take for its first byte.
        patience_s: how long it may take from then on.

    Raises:
        DstopError: when reading fails, or a pipe says nothing.
    """
    found = os.fstat(descriptor)
    try:
        if stat.S_ISFIFO(found.st_mode):
            yield from _pipe_chunks(descriptor, name, notes, first_patience_s, patience_s)
        else:
            yield from _file_chunks(descriptor, found.st_size or _UNKNOWN_SIZE_BYTES)
    except OSError as error:
        raise DstopError(f"cannot read {name}: {error.strerror}", fix="check its file system") from error


def _file_chunks(descriptor: int, left: int) -> Iterator[bytes]:
    while left > 0 and (chunk := os.read(descriptor, min(CHUNK_BYTES, left))):
        left -= len(chunk)
        yield chunk


def _pipe_chunks(
    descriptor: int, name: str, notes: list[str], first_patience_s: float, patience_s: float
) -> Iterator[bytes]:
    any_read = False
    while True:
        chunk = _pipe_read(descriptor, patience_s if any_read else first_patience_s, writer_seen=any_read)
        if chunk:
            any_read = True
            yield chunk
        elif not any_read:
            raise DstopError(f"{name} is a pipe that gives nothing", fix="check what writes into it")
        else:
            if chunk is None:
                notes.append(
                    f"It is a pipe that fell silent for {patience_s:g} s; what it gave until then was read."
                )
            return


def _pipe_read(descriptor: int, patience_s: float, *, writer_seen: bool) -> bytes | None:
    """Read what a pipe has: nothing at its end, None when it stayed silent.

    Before the first writer opens a named pipe, reading it gives an end that is none yet.
    """
    import select  # noqa: PLC0415 - for pipes alone

    until = time.monotonic() + patience_s
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while (left := until - time.monotonic()) > 0:
        events = poll.poll(max(1.0, left * 1e3))
        try:
            chunk = os.read(descriptor, CHUNK_BYTES) if events else None
        except BlockingIOError:
            continue
        if chunk or (chunk is not None and (writer_seen or events[0][1] & select.POLLHUP)):
            return chunk
    return None

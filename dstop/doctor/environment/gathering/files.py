"""Bounded reading of files that anybody may have put there: no pipe is waited for, no device is opened."""

from __future__ import annotations

import os
import stat

from dstop.sources.procfs.reading import as_count

_MOST_ENTRIES = 4096


def read_regular(path: str, limit: int = 1 << 16, *, tail: bool = False) -> str | None:
    """Read at most `limit` bytes of a regular file as text; None when it is none, or cannot be had.

    Args:
        path: of the file.
        limit: in bytes.
        tail: read the end of it and not the beginning.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return None
        if tail and found.st_size > limit:
            os.lseek(descriptor, -limit, os.SEEK_END)
        return _all(descriptor, limit).decode(errors="replace")
    except OSError:
        return None
    finally:
        os.close(descriptor)


def read_count(path: str, limit: int = 2**62) -> int | None:
    """Read a file that holds one whole number; None for anything else, `max` among it."""
    return as_count((read_regular(path, 64) or "").strip() or None, limit)


def names_in(path: str) -> tuple[str, ...] | None:
    """Give the sorted names in a folder, at most 4096; None when there is none."""
    try:
        return tuple(sorted(os.listdir(path))[:_MOST_ENTRIES])  # noqa: PTH208 - Path sorts no better
    except (OSError, ValueError):
        return None


def link(path: str) -> str | None:
    """Give where a link points; None when it cannot be read."""
    try:
        return os.readlink(path)  # noqa: PTH115 - Path costs more than the call
    except OSError:
        return None


def exists(path: str) -> bool:
    """Whether something is there."""
    return os.path.lexists(path)


def _all(descriptor: int, limit: int) -> bytes:
    chunks: list[bytes] = []
    total = 0
    while total < limit and (data := os.read(descriptor, min(limit - total, 1 << 16))):
        chunks.append(data)
        total += len(data)
    return b"".join(chunks)

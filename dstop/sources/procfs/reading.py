"""Bounded reading of small kernel files, and text that is safe to show.

What a process calls itself is its own choice: it may be megabytes, no UTF-8, or escape sequences.
"""

from __future__ import annotations

import os

_FIRST_BYTES = 4096


def read_bytes(path: str, limit: int) -> bytes:
    """Read at most `limit` bytes of a file.

    `os.read` and not `open`: the file object alone costs more than the kernel takes for the file.

    Raises:
        OSError: when the file cannot be opened or read; ESRCH when its process ended meanwhile.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(descriptor, min(limit, _FIRST_BYTES))
        if len(data) < min(limit, _FIRST_BYTES):
            return data
        chunks, total = [data], len(data)
        while total < limit and (data := os.read(descriptor, min(limit - total, 1 << 16))):
            chunks.append(data)
            total += len(data)
        return b"".join(chunks)
    finally:
        os.close(descriptor)


def read_text(path: str, limit: int = 1 << 16) -> str | None:
    """Read a small file as text; None when it cannot be had, for whatever reason."""
    try:
        return read_bytes(path, limit).decode(errors="replace")
    except OSError:
        return None


def clean(text: str) -> str:
    """Make text harmless to a terminal: whatever does not print (controls, bidi marks) becomes a space."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else " " for letter in text)


def clean_bytes(data: bytes) -> str:
    """Give bytes of unknown encoding as harmless text."""
    return clean(data.decode(errors="replace"))


def words(text: str) -> frozenset[str]:
    """Give the words of a list that is longer than it is wide."""
    return frozenset(text.split())


def as_count(text: str | None, limit: int = 2**31) -> int | None:
    """Read a whole number of 0 or more, below `limit`; None for anything else."""
    if text is None or len(text) > 20 or not (text.isascii() and text.isdigit()):  # noqa: PLR2004 - 2**64
        return None
    number = int(text)
    return number if number < limit else None

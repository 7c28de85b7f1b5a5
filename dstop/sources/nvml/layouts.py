"""Reading the driver's process rows out of bytes, whichever of three structs it wrote. Pure.

Drivers 535.43 to 535.86 wrote a larger struct through the same symbol; who trusts the header reads memory
where PIDs are. So the bytes decide: what was not written still holds our fill, and rows must be possible.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

FILL = 0xA5
"""What the buffer is filled with before the call."""
ROW_BYTES_MAX = 32
"""The widest row; a buffer of this times the count can hold whatever the driver writes."""
_NO_ID = 0xFFFFFFFF
_NO_MEMORY = 0xFFFFFFFFFFFFFFFF
_NO_MEMORY_REASON = "the driver does not tell a process's memory here (WSL, or a container of an old driver)"
_PID_MAX = 2**31 - 1

_SMALL, _USUAL, _LARGE = Struct("=I4xQ"), Struct("=I4xQII"), Struct("=I4xQII8x")
_BY_SYMBOL = {1: (_SMALL, _USUAL, _LARGE), 2: (_USUAL, _LARGE, _SMALL), 3: (_USUAL, _LARGE, _SMALL)}


class Row(NamedTuple):
    """One process on one GPU, as one of the driver's lists has it."""

    pid: int
    memory_bytes: int | None
    gpu_instance_id: int | None = None
    compute_instance_id: int | None = None
    reason: str | None = None
    """Why there is no memory figure."""


class Parsed(NamedTuple):
    """The rows that can be true, and how many could not."""

    rows: tuple[Row, ...]
    dropped: int


def parse_rows(
    raw: memoryview | bytes, count: int, version: int, *, memory_bytes: int | None, pid_max: int
) -> Parsed:
    """Read `count` rows from what the driver wrote.

    Args:
        raw: the buffer, filled with FILL before the call; at least `count` times ROW_BYTES_MAX long.
        count: how many rows the driver says it wrote.
        version: of the symbol that was called: 1, 2 or 3.
        memory_bytes: of the card; no process has more. None when it is not known.
        pid_max: the kernel's; the PIDs of another kernel (a VM's host) may be above it, then all are.
    """
    count = max(0, min(count, len(raw) // ROW_BYTES_MAX))
    if not count:
        return Parsed((), 0)
    layout = _layout(raw, count, version, memory_bytes, pid_max)
    read = list(layout.iter_unpack(raw[: count * layout.size]))
    possible = [row for row in read if _possible(row, memory_bytes, _PID_MAX)]
    ours = [row for row in possible if row[0] <= pid_max]
    kept = ours or possible
    return Parsed(tuple(map(_row, kept)), len(read) - len(kept))


def _layout(
    raw: memoryview | bytes, count: int, version: int, memory_bytes: int | None, pid_max: int
) -> Struct:
    """Choose the struct that fits: first by how far the driver wrote, then by how many rows are possible."""
    candidates = _BY_SYMBOL[version]
    written = _written(raw, count)
    reaching = [one for one in candidates if written is None or count * one.size >= written]
    best, best_score = candidates[0], -1
    for one in reaching or candidates:
        rows = list(one.iter_unpack(raw[: count * one.size]))
        score = sum(_possible(row, memory_bytes, pid_max) for row in rows)
        if score > best_score:
            best, best_score = one, score
        if score == count:
            break
    return best


def _written(raw: memoryview | bytes, count: int) -> int | None:
    """Find how far the driver wrote: the end of the last byte that is not fill."""
    used = bytes(raw[: count * ROW_BYTES_MAX]).rstrip(bytes([FILL]))
    return len(used) or None


def _possible(row: tuple[int, ...], memory_bytes: int | None, pid_max: int) -> bool:
    pid, memory = row[0], row[1]
    if not 0 < pid <= pid_max:
        return False
    if memory == _NO_MEMORY:
        return True
    return memory <= memory_bytes if memory_bytes else memory < 2**50


def _row(read: tuple[int, ...]) -> Row:
    pid, memory = read[0], read[1]
    gpu_instance, compute_instance = (read[2], read[3]) if len(read) > 2 else (_NO_ID, _NO_ID)  # noqa: PLR2004
    unknown = memory == _NO_MEMORY
    return Row(
        pid,
        None if unknown else memory,
        None if gpu_instance == _NO_ID else gpu_instance,
        None if compute_instance == _NO_ID else compute_instance,
        _NO_MEMORY_REASON if unknown else None,
    )

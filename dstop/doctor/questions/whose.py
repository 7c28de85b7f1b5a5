"""Which of the processes on a card is this one.

In a container the driver gives host PIDs: a process does not find itself among them, although it is there. Who alone
holds as much as our allocator reserved is us; of several it is the one that holds just that, and a context beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.units import GIB, MIB

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEAST_BYTES, _MOST_BYTES = -64 * MIB, 2 * GIB
"""A process holds a context and libraries beside what its allocator reserved: 0.3 to 1.5 GiB as a rule."""


def told_apart(
    processes: Sequence[tuple[int, int]], reserved_bytes: int | None, pid: int | None = None
) -> tuple[int | None, tuple[tuple[int, int], ...]]:
    """Give what this process holds, or None where it cannot be told, and the others.

    Args:
        processes: (pid, bytes) of each on the card.
        reserved_bytes: of this process' allocator.
        pid: of this process, in the name space of those PIDs or in another.
    """
    for own_pid, own_bytes in processes:
        if own_pid == pid:
            return own_bytes, tuple(each for each in processes if each[0] != pid)
    if reserved_bytes is None:
        return None, tuple(processes)
    able = [
        (held - reserved_bytes, other, held)
        for other, held in processes
        if held - reserved_bytes >= _LEAST_BYTES
    ]
    ours = able if len(able) == 1 else [each for each in able if each[0] <= _MOST_BYTES]
    if not ours:
        return None, tuple(processes)
    _, own_pid, own_bytes = min(ours)
    return own_bytes, tuple(each for each in processes if each[0] != own_pid)

"""Which processes a GPU process comes from, and where they listen: what the kernel lets us see of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dstop.model.value import Value
from dstop.sources.procfs.facts import read_cmdline
from dstop.sources.procfs.lineage import parents_of

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_ANCESTORS = 8
MOST_FDS = 65536
_MOST_TABLE_BYTES = 8 * 2**20
_LISTENS = "0A"
"""TCP_LISTEN in /proc/net/tcp (include/net/tcp_states.h of Linux)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Kin(Value):
    """A process and its command line."""

    pid: int
    cmdline: tuple[str, ...]


def kin_of(pid: int, root: str = "/proc") -> Iterator[Kin]:
    """Give a process and those it comes from, the nearest first."""
    for number in (pid, *(one.pid for one in parents_of(pid, MOST_ANCESTORS, root))):
        try:
            yield Kin(pid=number, cmdline=read_cmdline(number, root))
        except OSError:
            continue


def is_same_network(pid: int, root: str = "/proc") -> bool | None:
    """Whether our loopback is the process's too; None where the kernel does not let us see."""
    try:
        return Path(f"{root}/{pid}/ns/net").readlink() == Path(f"{root}/self/ns/net").readlink()
    except OSError:
        return None


def listening_ports(pid: int, root: str = "/proc") -> frozenset[int] | None:
    """Give the TCP ports that a process listens on; None where its files are another user's.

    Of the sockets that are its own (/proc/PID/fd), those that listen in /proc/PID/net/tcp and tcp6: a port that another
    process holds is not asked in its name.
    """
    own: set[str] = set()
    try:
        with os.scandir(f"{root}/{pid}/fd") as entries:
            for count, entry in enumerate(entries):
                if count >= MOST_FDS:
                    break
                try:
                    target = os.readlink(entry.path)  # noqa: PTH115 - thousands of them
                except OSError:
                    continue
                if target.startswith("socket:["):
                    own.add(target[8:-1])
    except OSError:
        return None
    return frozenset(
        port for table in ("tcp", "tcp6") for port, inode in _listening(pid, table, root) if inode in own
    )


def _listening(pid: int, table: str, root: str) -> Iterator[tuple[int, str]]:
    """Read a table: local address with its port in hexadecimal, state, and inode, by the columns of Linux's proc(5)."""
    try:
        with open(f"{root}/{pid}/net/{table}", "rb") as file:  # noqa: PTH123 - beside the scandir above
            text = file.read(_MOST_TABLE_BYTES).decode("ascii", "replace")
    except OSError:
        return
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) > 9 and words[3] == _LISTENS:  # noqa: PLR2004 - the tenth is the inode
            yield int(words[1].rpartition(":")[2], 16), words[9]

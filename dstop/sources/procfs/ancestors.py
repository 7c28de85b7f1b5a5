"""Where a process comes from: its parent, the parent's parent, and so on to the first process."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dstop.sources.procfs.command import command_name
from dstop.sources.procfs.facts import read_cmdline
from dstop.sources.procfs.launch import parse_launch
from dstop.sources.procfs.lineage import parents_of
from dstop.sources.procfs.redaction import redact_cmdline

if TYPE_CHECKING:
    from dstop.sources.procfs.stat import Stat


class Ancestor(NamedTuple):
    """One step of the way."""

    pid: int
    command: str
    state: str
    """The kernel's letter."""


def ancestors(pid: int, limit: int = 32, root: str = "/proc") -> tuple[Ancestor, ...]:
    """Give the parents of a process, nearest first, at most `limit`; empty when it is gone or has none here.

    It reads command lines, which may hang on a hung process: call it where waiting hurts nobody.
    """
    return tuple(
        Ancestor(stat.pid, _command(stat, root), stat.state) for stat in parents_of(pid, limit, root)
    )


def _command(stat: Stat, root: str) -> str:
    """Name a process; one that waits in the kernel by its short name, as its memory may be locked."""
    try:
        cmdline = () if stat.state in "DZ" else read_cmdline(stat.pid, root)
    except OSError:
        cmdline = ()
    return command_name(parse_launch(redact_cmdline(cmdline)), stat.comm)

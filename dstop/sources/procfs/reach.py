"""The Reach of real processes, through `/proc`."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from dstop.sources.procfs.environment import read_environment
from dstop.sources.procfs.facts import owner_of, read_cmdline
from dstop.sources.procfs.lineage import parents_of
from dstop.sources.procfs.redaction import redact_cmdline
from dstop.sources.procfs.stat import read_stat, started_at_s

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.model.guest import ProcessId

_GENERATIONS = 5
_CHUNK = 1 << 16


class HostReach:
    """Reads what the host shows, and never more than the process itself might read.

    A path comes from the process, and dstop may be root: a link to a file that only root can read would have dstop
    read it on the process' behalf. So a file counts only where it is the process' own, or everybody's to read.
    """

    def __init__(self, root: str = "/proc") -> None:
        self._root = root

    def parents(self, process: ProcessId) -> tuple[tuple[str, ...], ...]:
        """Give the command lines of up to five ancestors; none of one that belongs to somebody else."""
        if not self._is_same(process):
            return ()
        owner = owner_of(process.pid, self._root)
        found: list[tuple[str, ...]] = []
        for parent in parents_of(process.pid, _GENERATIONS, self._root):
            if owner_of(parent.pid, self._root) != owner:
                break
            try:
                found.append(redact_cmdline(read_cmdline(parent.pid, self._root)))
            except OSError:
                break
        return tuple(found)

    def environ(self, process: ProcessId) -> Mapping[str, str]:
        """Give its environment; nothing of what is another's."""
        values = read_environment(process.pid, self._root).values if self._is_same(process) else None
        return values or {}

    def read(self, process: ProcessId, path: str, most_bytes: int) -> bytes:
        """Read in its working directory and its root.

        Raises:
            OSError: as the protocol says.
        """
        if not self._is_same(process):
            raise ProcessLookupError
        if "\0" in path:
            raise FileNotFoundError
        folder = f"{self._root}/{process.pid}"
        place = f"{folder}/root{path}" if path.startswith("/") else f"{folder}/cwd/{path}"
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise IsADirectoryError(0, "it is no plain file")
            if not status.st_mode & stat.S_IROTH and status.st_uid != owner_of(process.pid, self._root):
                raise PermissionError(0, "it is not the process' own to read")
            return _all_of(descriptor, most_bytes)
        finally:
            os.close(descriptor)

    def _is_same(self, process: ProcessId) -> bool:
        """Whether the PID is still the process'."""
        found = read_stat(process.pid, self._root)
        return found is not None and (
            process.started_at_s is None
            or started_at_s(found.start_ticks, self._root) == process.started_at_s
        )


def _all_of(descriptor: int, most_bytes: int) -> bytes:
    chunks: list[bytes] = []
    left = most_bytes
    while left > 0 and (data := os.read(descriptor, min(left, _CHUNK))):
        chunks.append(data)
        left -= len(data)
    return b"".join(chunks)

"""What else of a process can be reached than a sample has: its parents' command lines, its environment, its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.model.guest import ProcessId


class Reach(Protocol):
    """Reads about one process at a time, when somebody wants to know what it is; any of it may wait for a disk."""

    def parents(self, process: ProcessId) -> tuple[tuple[str, ...], ...]:
        """Give the command lines of its parents, nearest first, secrets redacted."""
        ...

    def environ(self, process: ProcessId) -> Mapping[str, str]:
        """Give the environment it was started with; empty where that may not be read."""
        ...

    def read(self, process: ProcessId, path: str, most_bytes: int) -> bytes:
        """Give the first bytes of a file as the process itself would find it by that path.

        Raises:
            OSError: it is not there, is no plain file, or may not be read by the process or by us.
        """
        ...

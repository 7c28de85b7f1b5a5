"""Looking for hooks among the processes of a machine, a little at every step."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from dstop.errors import AttachError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Iterator

    from dstop.model.guest import ProcessId
    from dstop.pytorch.target import Target

AGAIN_S = 5.0
"""A process without a hook is looked at again after this time."""
KNOWN_S = 60.0
"""Its user and its directories are read again after this time: it may have become another program (execve(2))."""
BUDGET_S, FIRST_BUDGET_S = 0.003, 0.1
"""What a step may take for looking; for `--once` the first one is all there is, so it may take longer."""


class _Seen:
    """One process: who it is, and when it is looked at next."""

    __slots__ = ("next_s", "read_s", "target")

    def __init__(self) -> None:
        self.target: Target | None = None
        self.read_s = 0.0
        self.next_s = 0.0


class Search:
    """Remembers every process it was given, for as long as it is given.

    Args:
        root: where the process file system is.
        clock: monotonic seconds.
        budget_s: what a step may take for looking; one process is looked at in any case.
    """

    def __init__(
        self, root: str = "/proc", clock: Callable[[], float] = time.monotonic, budget_s: float = BUDGET_S
    ) -> None:
        self._root = root
        self._budget_s = budget_s
        self._clock = clock
        self._seen: dict[ProcessId, _Seen] = {}
        self._is_first = True

    def __len__(self) -> int:
        return len(self._seen)

    def found(self, processes: Iterable[ProcessId]) -> Iterator[tuple[ProcessId, socket.socket]]:
        """Give open connections to hooks among these processes, and forget all others.

        Each look is a `lstat` or two; what is not done within the budget is done at the next steps.
        """
        self._seen = {process: self._seen.get(process) or _Seen() for process in processes}
        now_s = self._clock()
        due = sorted(
            (pair for pair in self._seen.items() if pair[1].next_s <= now_s), key=lambda pair: pair[1].next_s
        )
        is_first, self._is_first = self._is_first, self._is_first and not due
        budget_s = max(FIRST_BUDGET_S, self._budget_s) if is_first else self._budget_s
        end_s = now_s + budget_s
        for number, (process, seen) in enumerate(due):
            if number and self._clock() > end_s:
                return
            seen.next_s = now_s + AGAIN_S
            connection = self._look(process, seen)
            if connection is not None:
                yield process, connection
                if is_first:  # the first hook of all has loaded what every other needs
                    is_first, end_s = False, self._clock() + budget_s

    def look_soon(self, process: ProcessId) -> None:
        """Look at this process at the next step: somebody knows that it has a hook now."""
        seen = self._seen.get(process)
        if seen is not None:
            seen.next_s = 0.0

    def wait(self, process: ProcessId, seconds: float) -> None:
        """Leave this process alone for some time."""
        self._seen.setdefault(process, _Seen()).next_s = self._clock() + seconds

    def _look(self, process: ProcessId, seen: _Seen) -> socket.socket | None:
        from dstop.pytorch.directories import directories  # noqa: PLC0415 - not for the first screen
        from dstop.pytorch.target import find_target  # noqa: PLC0415 - the same

        with contextlib.suppress(AttachError, OSError):
            now_s = self._clock()
            if seen.target is None or now_s - seen.read_s >= KNOWN_S:
                seen.target = None
                target = find_target(process.pid, self._root, look_inside=False)
                if process.started_at_s is not None and target.started_at_s != process.started_at_s:
                    return None  # another process has this PID now
                seen.target, seen.read_s = target, now_s
            if not self._may_be_there(seen.target, directories(seen.target)):
                return None
            from dstop.pytorch.client import connect_socket  # noqa: PLC0415 - where there is a hook, 10 ms
            from dstop.pytorch.rendezvous import find_socket  # noqa: PLC0415 - the same

            place = find_socket(seen.target, self._root)
            if place is not None:
                return connect_socket(seen.target, place, timeout_s=0.0, root=self._root)
        return None

    def _may_be_there(self, target: Target, directories: Iterable[str]) -> bool:
        """Whether something has the name of its socket: a tenth of the cost of `find_socket`, which makes sure."""
        for directory in directories:
            with contextlib.suppress(OSError):
                os.lstat(f"{self._root}/{target.pid}/root{directory}/{target.socket_name}")
                return True
        return False

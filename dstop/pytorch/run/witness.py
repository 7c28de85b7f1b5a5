"""Telling a signal that was sent to us alone from one that was sent to the whole process group.

`kill PID` is for the command and must be passed on. `kill %1`, `timeout` and `scancel` have sent it to the command as
well, and a second SIGTERM would break off what the first began: torchrun ends its workers then. The kernel does not say
to whom a signal was sent, so a small process in our group says whether it got the same one.
"""

from __future__ import annotations

import os
import select
import signal
import struct
import time
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable

_SEEN = struct.Struct("=id")
"""A signal's number, and when it came by the monotonic clock, which all processes share."""

_MOST_FILES = 1 << 16
_WAIT_S = 0.1
_TOGETHER_S = 0.5
"""What came at most so long ago came with the signal in question."""


class Witness:
    """A process that does nothing but note which of these signals reach it; it ends when we do."""

    def __init__(self, numbers: Iterable[int]) -> None:
        """Fork it; there must be no threads yet. Without it, a signal to the group is passed on as well."""
        self._is_gone = False
        self._pid: int | None = None
        self._seen, reports = os.pipe()
        life, self._life = os.pipe()
        try:
            self._pid = os.fork()
        except OSError:
            self._is_gone = True  # the user has as many processes as allowed
        if self._pid == 0:
            _watch(list(numbers), reports, life)
        os.close(reports)
        os.close(life)
        os.set_blocking(self._seen, False)

    def saw(self, number: int) -> bool:
        """Whether a signal that we have just got was sent to it too, and so to the command."""
        deadline = time.monotonic() + _WAIT_S
        while not self._is_gone and (left_s := deadline - time.monotonic()) > 0:
            if not select.select([self._seen], [], [], left_s)[0]:
                break
            if any(told == number and time.monotonic() - at < _TOGETHER_S for told, at in self._take()):
                return True
        return False

    def close(self) -> None:
        """End it."""
        os.close(self._life)
        os.close(self._seen)
        if self._pid is not None:
            os.waitpid(self._pid, 0)

    def _take(self) -> list[tuple[int, float]]:
        data = os.read(self._seen, _SEEN.size * 256)  # each is written at once, so none is ever cut
        self._is_gone = not data
        return [(int(told), float(at)) for told, at in _SEEN.iter_unpack(data)]


def _watch(numbers: list[int], reports: int, life: int) -> NoReturn:
    """Be the witness: hold the two pipes alone, write down every signal, end when the other end of `life` does."""
    try:
        low, high = sorted((reports, life))
        os.closerange(0, low)
        os.closerange(low + 1, high)
        os.closerange(high + 1, _MOST_FILES)
        os.set_blocking(reports, False)

        def note(number: int, _frame: object) -> None:
            os.write(reports, _SEEN.pack(number, time.monotonic()))

        for number in numbers:
            signal.signal(number, note)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
        while os.read(life, 1):
            pass
    finally:
        os._exit(0)

"""Stopping one thread for a moment, and letting it go whatever happens.

A thread is seized, stopped, looked at and detached in one go: between two looks nothing of the target is traced. All
of it belongs to the calling thread of dstop; when that ends, or is killed, the kernel lets go by itself.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dstop.errors import AttachError
from dstop.pytorch.inject import ptrace
from dstop.pytorch.inject.undisturbed import undisturbed
from dstop.pytorch.memory import no_permission

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPINS = 60
_NAP_S = 0.00005
_STOP_WITHIN_S = 0.05


class Tracer:
    """Stops threads of one process, one at a time, and keeps count of how long they stood."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.longest_stop_ns = 0
        self._late: set[int] = set()

    @contextmanager
    def stopped(self, thread: int) -> Iterator[bool]:
        """Stop a thread for the body of a `with`; False when it is gone or does not stop now."""
        with undisturbed():
            running_ns = self._stop(thread)
            if running_ns is None:
                yield False
                return
            try:
                yield True
            finally:
                _let_go(thread)
                self.longest_stop_ns = max(self.longest_stop_ns, time.perf_counter_ns() - running_ns)

    def let_late_ones_go(self) -> None:
        """Detach threads that stopped only after we had given up on them: they were in an uninterruptible sleep."""
        for thread in tuple(self._late):
            try:
                status = ptrace.wait_status(thread)
            except ProcessLookupError:
                self._late.discard(thread)
                continue
            if status is not None:
                self._late.discard(thread)
                if os.WIFSTOPPED(status):
                    _let_go(thread, 0 if status >> 16 else os.WSTOPSIG(status))

    def _stop(self, thread: int) -> int | None:
        """Give the time at which the thread was last seen running; None when it did not stop."""
        if thread in self._late or not self._seize(thread):
            return None
        deadline = time.monotonic() + _STOP_WITHIN_S
        try:
            ptrace.interrupt(thread)
            return self._await_stop(thread, deadline)
        except ProcessLookupError:
            return None
        except OSError as reason:
            if reason.errno == errno.ESRCH:
                return None
            raise AttachError(
                f"process {self.pid} cannot be stopped: {reason.strerror}", fix="try again"
            ) from None

    def _seize(self, thread: int) -> bool:
        try:
            ptrace.seize(thread)
        except OSError as reason:
            if reason.errno == errno.ESRCH:
                return False
            raise no_permission(self.pid) from None
        return True

    def _await_stop(self, thread: int, deadline: float) -> int | None:
        spins = 0
        while True:
            asked_ns = time.perf_counter_ns()
            status = ptrace.wait_status(thread)
            if status is None:
                if time.monotonic() > deadline:
                    self._late.add(thread)
                    return None
                spins += 1
                if spins > _SPINS:
                    time.sleep(_NAP_S)
            elif not os.WIFSTOPPED(status):
                return None
            elif status >> 16 == ptrace.STOPPED_BY_US:
                self._refuse_group_stop(thread, os.WSTOPSIG(status))
                return asked_ns
            else:
                # A signal came first: it is the target's, and is passed on.
                ptrace.go_on(thread, os.WSTOPSIG(status))

    def _refuse_group_stop(self, thread: int, signal: int) -> None:
        if signal != ptrace.SIGTRAP:
            _let_go(thread)
            raise AttachError(
                f"process {self.pid} was stopped meanwhile", fix=f"continue it: kill -CONT {self.pid}"
            )


def _let_go(thread: int, signal: int = 0) -> None:
    try:
        ptrace.detach(thread, signal)
    except OSError as reason:
        if reason.errno != errno.ESRCH:  # killed meanwhile
            raise

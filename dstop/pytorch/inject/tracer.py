"""Stopping one thread for a moment, and letting it go whatever happens.

A thread is seized, stopped, looked at and detached in one go: between two looks nothing of the target is traced. All
of it belongs to the calling thread of dstop; when that ends, or is killed, the kernel lets go by itself, also of a
thread that was asked to stop and has not yet.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dstop.errors import AttachError
from dstop.pytorch.inject import ptrace
from dstop.pytorch.inject.checks import check_free, target_status
from dstop.pytorch.inject.undisturbed import undisturbed
from dstop.pytorch.memory import no_permission

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

_SPINS = 60
_NAP_S = 0.00005


class Tracer:
    """Stops threads of one process, one at a time, and keeps count of how long they stood."""

    def __init__(self, pid: int, deadline: float, cancelled: Event) -> None:
        self.pid = pid
        self.longest_stop_ns = 0
        self._deadline = deadline
        self._cancelled = cancelled

    @contextmanager
    def stopped(self, thread: int) -> Iterator[bool]:
        """Stop a thread for the body of a `with`; False when it is gone."""
        with undisturbed():
            running_ns = self._stop(thread)
            if running_ns is None:
                yield False
                return
            try:
                yield True
            finally:
                # Taken before: the thread runs again within that call, and where it takes our CPU the call is long.
                stopped_ns = time.perf_counter_ns() - running_ns
                _let_go(thread)
                self.longest_stop_ns = max(self.longest_stop_ns, stopped_ns)

    def _stop(self, thread: int) -> int | None:
        """Give the time at which the thread was last seen running; None when it is gone."""
        if not self._seize(thread):
            return None
        try:
            ptrace.interrupt(thread)
            return self._await_stop(thread)
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
            check_free(self.pid, target_status(thread))
            raise no_permission(self.pid) from None
        return True

    def _await_stop(self, thread: int) -> int | None:
        """Wait until the thread that was asked to stop does.

        It must be waited for: one that gets no CPU now, or sleeps uninterruptibly, would stop later and stay so.
        """
        spins = 0
        running_ns = time.perf_counter_ns()
        while True:
            asked_ns = time.perf_counter_ns()
            status = ptrace.wait_status(thread)
            if status is None:
                running_ns = asked_ns
                self._give_up_in_time()
                spins += 1
                if spins > _SPINS:
                    time.sleep(_NAP_S)
            elif not os.WIFSTOPPED(status):
                return None
            elif status >> 16 == ptrace.STOPPED_BY_US:
                self._refuse_group_stop(thread, os.WSTOPSIG(status))
                return running_ns
            else:
                # A signal came first: it is the target's, and is passed on.
                ptrace.go_on(thread, os.WSTOPSIG(status))

    def _give_up_in_time(self) -> None:
        if time.monotonic() > self._deadline or self._cancelled.is_set():
            raise AttachError(
                f"a thread of process {self.pid} does not stop: it gets no CPU, or is in an uninterruptible sleep",
                fix="try again later",
            )

    def _refuse_group_stop(self, thread: int, signal: int) -> None:
        if signal != ptrace.SIGTRAP:
            _let_go(thread)
            raise AttachError(
                f"process {self.pid} was stopped meanwhile", fix=f"continue it: kill -CONT {self.pid}"
            )


def _let_go(thread: int) -> None:
    try:
        ptrace.detach(thread)
    except OSError as reason:
        if reason.errno != errno.ESRCH:  # killed meanwhile
            raise

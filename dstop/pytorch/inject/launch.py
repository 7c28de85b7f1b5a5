"""Finding a thread that stands at a safe point, and sending it through the routine."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from dstop.errors import AttachError
from dstop.pytorch.inject import ptrace
from dstop.pytorch.inject.mailbox import STATUS_AT, Status
from dstop.pytorch.inject.plan import stacks_of
from dstop.pytorch.inject.registers import turned_to, way_back
from dstop.pytorch.inject.routine import RED_ZONE_BYTES
from dstop.pytorch.inject.safe_point import safe_point
from dstop.pytorch.inject.threads import sleeps_safely, thread_numbers
from dstop.pytorch.inject.tracer import Tracer
from dstop.pytorch.maps import mappings

if TYPE_CHECKING:
    from threading import Event

    from dstop.pytorch.inject.plan import Plan
    from dstop.pytorch.inject.registers import Registers

_SHORTEST_NAP_S, _LONGER_BY_S = 0.0005, 0.0035
_SAMPLES_A_ROUND = 8


class NoSafePointError(AttachError):
    """No thread stood at a safe point in time: the process is in malloc or in foreign code almost always."""


class Launcher:
    """Looks at the threads of one target until one can be borrowed."""

    def __init__(self, plan: Plan, deadline: float, cancelled: Event, *, main_only: bool) -> None:
        self.samples = 0
        self._plan = plan
        self._around = plan.around
        self._main_only = main_only
        self._deadline = deadline
        self._cancelled = cancelled
        self._tracer = Tracer(plan.pid, deadline, cancelled)

    @property
    def longest_stop_us(self) -> float:
        """Give the longest time that one thread of the target stood still."""
        return self._tracer.longest_stop_ns / 1e3

    def launch(self) -> str:
        """Send one thread through the routine and name the safe point it stood at.

        A thread that sleeps is preferred: then the one that trains is not stopped at all. Else the main thread is
        looked at again and again, at random times so that no rhythm of the target's is met.
        """
        pid = self._plan.pid
        how = self._try_sleepers(include_main=True)
        while how is None:
            if self._cancelled.is_set():
                raise AttachError(
                    f"attaching to process {pid} was interrupted", fix="nothing was changed in it"
                )
            if time.monotonic() > self._deadline:
                raise self._gave_up()
            how = self._try(pid)
            if how is None and self.samples % _SAMPLES_A_ROUND == 0:
                if not thread_numbers(pid):
                    raise AttachError(f"process {pid} ended meanwhile", fix="nothing is left to attach to")
                self._around = self._around._replace(stacks=stacks_of(mappings(pid)))
                how = self._try_sleepers(include_main=False)
            if how is None:
                self._cancelled.wait(_nap_s())
        return how

    def _try_sleepers(self, *, include_main: bool) -> str | None:
        pid = self._plan.pid
        threads = [pid] if self._main_only else thread_numbers(pid)
        for thread in threads if include_main else threads[1:]:
            if sleeps_safely(pid, thread) and (how := self._try(thread)):
                return how
        return None

    def _try(self, thread: int) -> str | None:
        self.samples += 1
        with self._tracer.stopped(thread) as stopped:
            if not stopped:
                return None
            try:
                return self._look(thread)
            except ProcessLookupError:  # killed while it stood
                return None
            except OSError as reason:
                raise AttachError(
                    f"process {self._plan.pid} cannot be borrowed a thread from: {reason}",
                    fix="start it with `dstop run` next time",
                ) from None

    def _look(self, thread: int) -> str | None:
        registers = ptrace.registers_of(thread)
        how = safe_point(
            registers,
            self._around,
            lambda address: ptrace.peek(thread, address),
            blocked_signals=lambda: ptrace.blocked_signals(thread),
            samples=self.samples,
        )
        if how is not None:
            send(thread, registers, self._plan)
        return how

    def _gave_up(self) -> NoSafePointError:
        return NoSafePointError(
            f"process {self._plan.pid} stood at no safe point ({self.samples} looks)",
            fix="try again, or start it with `dstop run` next time",
        )


def _nap_s() -> float:
    """Give a time at random, without the weight of importing `random`."""
    return _SHORTEST_NAP_S + _LONGER_BY_S * os.urandom(1)[0] / 255


def send(thread: int, registers: Registers, plan: Plan) -> None:
    """Rule 3: turn a stopped thread into the routine by one write of its registers; nothing is to be undone after.

    The way back goes under the red zone of the thread's own stack, where only signal handlers of its own would write.
    """
    if not plan.written:
        ptrace.poke_text(thread, plan.code, plan.text)
    stack = registers.rsp - RED_ZONE_BYTES - 8
    ptrace.poke(thread, stack, way_back(registers))
    ptrace.poke(thread, plan.mailbox + STATUS_AT, Status.LAUNCHED)
    ptrace.set_registers(thread, turned_to(registers, plan.entry, stack))

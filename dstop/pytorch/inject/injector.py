"""Run one statement of Python in a live process: x86-64, glibc, CPython with a GIL."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value
from dstop.pytorch.inject.checks import check_free, check_machine, check_owner, target_status
from dstop.pytorch.inject.delivery import Delivery, check_source
from dstop.pytorch.inject.launch import Launcher
from dstop.pytorch.inject.lock import become_only_injector
from dstop.pytorch.inject.plan import make_plan
from dstop.pytorch.inject.undisturbed import in_own_thread
from dstop.pytorch.memory import TargetMemory

if TYPE_CHECKING:
    from threading import Event

_AFTER_LAUNCH_S = 0.5
"""A thread that was launched in the last moment still gets its text."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Injection(Value):
    """How the statement came into the target."""

    how: str
    """The safe point: a system call, `eval loop` or `python text`."""
    status: str
    """`done`, or `running` when the time was up before the statement ended."""
    samples: int
    """How often a thread was looked at."""
    longest_stop_us: float
    """The longest time that one thread stood still."""


def inject(pid: int, source: str, *, timeout_s: float = 10.0, main_only: bool = False) -> Injection:
    """Run `source`, one statement, in the process `pid`; `main_only` leaves its other threads alone.

    Raises AttachError: its subclass NoSafePointError when no thread could be borrowed in time, and StillWaitingError
    when the text is in place and runs as soon as the GIL is free. Interrupting or killing dstop harms nothing.
    """
    text = check_source(source)
    check_machine()
    deadline = time.monotonic() + timeout_s
    return in_own_thread(lambda cancelled: _inject(pid, text, deadline, cancelled, main_only=main_only))


def _inject(pid: int, text: bytes, deadline: float, cancelled: Event, *, main_only: bool) -> Injection:
    status = target_status(pid)
    check_owner(pid, status)
    with TargetMemory.open(pid) as memory:
        become_only_injector(memory, deadline)
        check_free(pid, target_status(pid))
        plan = make_plan(pid, memory)
        delivery = Delivery(memory, plan.mailbox, status.inner_pid)
        delivery.claim(deadline, cancelled)
        launcher = Launcher(plan, deadline, cancelled, main_only=main_only)
        how = launcher.launch()
        ended = delivery.deliver(text, max(deadline, time.monotonic() + _AFTER_LAUNCH_S), cancelled)
    return Injection(
        how=how,
        status=ended.name.lower(),
        samples=launcher.samples,
        longest_stop_us=launcher.longest_stop_us,
    )

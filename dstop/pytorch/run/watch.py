"""Waiting for the command's end, and passing on the signals that were meant for it."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value
from dstop.pytorch.run.channel import take_size

if TYPE_CHECKING:
    import resource
    from collections.abc import Sequence

    from dstop.pytorch.run.channel import Channel
    from dstop.pytorch.run.copying import Copier
    from dstop.pytorch.run.witness import Witness

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_PASSED_ON = (
    *_STOPPING,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGPWR,
    *range(signal.SIGRTMIN, signal.SIGRTMAX + 1),
)
_OWN = (signal.SIGCHLD, signal.SIGWINCH, signal.SIGCONT)
_MOST_PARENTS = 64
_STEP_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Ending(Value):
    """How the command ended."""

    code: int | None
    """None when a signal ended it."""
    signal: int | None
    core_dumped: bool
    usage: resource.struct_rusage
    asked: int | None
    """The signal by which somebody asked the command to stop, if anybody did."""
    asked_s: float | None
    """How long before the end that was."""

    @property
    def exit_code(self) -> int:
        """Our own exit code, as a shell gives it."""
        return self.code if self.code is not None else 128 + (self.signal or 0)

    @property
    def is_bad(self) -> bool:
        """Whether it failed."""
        return self.exit_code != 0


def take_signals() -> set[signal.Signals | int]:
    """Block what we watch for, so that nothing is missed, and give what was blocked before us."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # an ignored one would take the command's status away
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _watched())
    return set(before)


def wait_for(child: int, channels: Sequence[Channel], witness: Witness) -> Ending:
    """Wait for the end of the command, and meanwhile pass signals on to it and follow the terminal's size."""
    asked: int | None = None
    asked_at = 0.0
    watched = _watched()
    while True:
        told = signal.sigwaitinfo(watched)
        number = told.si_signo
        if number == signal.SIGCHLD:
            ended, status, usage = os.wait4(child, os.WNOHANG)
            if ended:
                break
        elif number in {signal.SIGWINCH, signal.SIGCONT}:
            _follow_size(child, channels, number)
        else:
            if number in _STOPPING:
                asked, asked_at = number, time.monotonic()
            if not (_reached_it(told, child) or witness.saw(number)):
                _send(child, number)
    killed = os.WIFSIGNALED(status)
    return Ending(
        code=None if killed else os.WEXITSTATUS(status),
        signal=os.WTERMSIG(status) if killed else None,
        core_dumped=killed and os.WCOREDUMP(status),
        usage=usage,
        asked=asked,
        asked_s=None if asked is None else time.monotonic() - asked_at,
    )


def drain(copiers: Sequence[Copier]) -> None:
    """Pass on the rest of the output; whoever does not want to wait for a slow reader may press Ctrl-C."""
    for copier in copiers:
        copier.end_soon()
    for copier in copiers:
        while not copier.has_ended(_STEP_S):
            if _is_pending(_STOPPING):
                return


def passed_on() -> set[signal.Signals | int]:
    """Give the signals that are meant for the command; those that are ignored, by nohup for one, stay so."""
    return {number for number in _PASSED_ON if signal.getsignal(number) is not signal.SIG_IGN}


def _watched() -> set[signal.Signals | int]:
    return {*passed_on(), *_OWN}


def _is_pending(numbers: Sequence[int]) -> bool:
    return signal.sigtimedwait(numbers, 0) is not None


def _reached_it(told: signal.struct_siginfo, child: int) -> bool:
    """Whether the command has the signal already: the terminal sends to the whole group, and so may a child of its.

    A positive `si_code` is the kernel's, here the terminal's (sigaction(2)).
    """
    if told.si_code > 0 or told.si_pid == child:
        return True
    from dstop.sources.procfs.lineage import parents_of  # noqa: PLC0415 - few runs are sent signals

    return any(parent.pid == child for parent in parents_of(told.si_pid, _MOST_PARENTS))


def _follow_size(child: int, channels: Sequence[Channel], number: int) -> None:
    """Give the pseudo terminals their new size, and only then tell the command: it may have looked too early."""
    terminals = [channel for channel in channels if channel.is_terminal]
    for channel in terminals:
        take_size(channel)
    if terminals and number == signal.SIGWINCH:
        _send(child, signal.SIGWINCH)


def _send(child: int, number: int) -> None:
    try:
        os.kill(child, number)
    except ProcessLookupError:
        return  # it has ended; its SIGCHLD is on its way

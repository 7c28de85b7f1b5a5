"""One request to a target's Python: made, waited for, and taken back (PEP 768). The target is never stopped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from dstop.pytorch.pep768.kernel_threads import living_threads, switches

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.pytorch.pep768.threads import Runtime, Thread
    from dstop.pytorch.target import Target

MAIN_FIRST_S = 0.05
"""How long the main thread is asked alone: its state is a part of the interpreter's and never freed."""

ASLEEP_S = 0.25
"""After this time without any of them running at all, no thread will come to a safe point soon."""

_POLL_S = 0.002


class Outcome(NamedTuple):
    """What became of a request."""

    asked: int
    """How many threads were asked."""
    taken: int
    """How many of them may have taken it: they may still open the script."""


def make_request(
    runtime: Runtime,
    target: Target,
    path: bytes,
    *,
    arrived: Callable[[], bool],
    interrupted: Callable[[], bool],
    timeout_s: float,
    root: str = "/proc",
) -> Outcome:
    """Ask the threads to run a script until the hook has arrived or the time is over, then take all requests back.

    Args:
        runtime: the target's Python.
        target: the process.
        path: of the script, as the target sees it.
        arrived: whether the hook is there; asked every two milliseconds.
        interrupted: whether to end early; signals are to be held back meanwhile, so that all is taken back.
        timeout_s: how long a thread may take.
        root: where the process file system is.
    """
    asked: list[Thread] = []
    try:
        began_s = time.monotonic()
        runs = _ask(runtime, target, path, asked, everybody=False, root=root)
        everybody = False
        while not interrupted() and not arrived():
            waited_s = time.monotonic() - began_s
            if waited_s >= timeout_s:
                break
            if not everybody and waited_s >= MAIN_FIRST_S:
                everybody = True
                runs = _ask(runtime, target, path, asked, everybody=True, root=root) | runs
            if waited_s >= ASLEEP_S and runs == switches(target.pid, runs, root):
                break
            time.sleep(_POLL_S)
    finally:
        untouched = [runtime.disarm(thread, path) for thread in asked]
    return Outcome(len(asked), untouched.count(False))


def _ask(
    runtime: Runtime, target: Target, path: bytes, asked: list[Thread], *, everybody: bool, root: str
) -> dict[int, int]:
    """Ask the main thread, or all that have not been asked yet; gives how often each of them has run so far.

    Those that wait since a dstop was killed are always among them: their requests have to be taken back, too.
    """
    living = living_threads(target.pid, target.inner_pid, root)
    threads = runtime.threads(frozenset(living))
    known = {thread.address for thread in asked}
    left = [thread for thread in threads[1:] if thread.pending and thread.path == path]
    fresh = [
        thread for thread in (threads if everybody else (*threads[:1], *left)) if thread.address not in known
    ]
    runs = switches(target.pid, [living[thread.native_id] for thread in fresh], root)
    for thread in fresh:
        asked.append(thread)
        if not runtime.arm(thread, path):
            asked.pop()
    return runs

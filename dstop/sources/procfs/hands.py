"""The hands of a live machine: one process close up, its parents, and signals that cannot go astray."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dstop.sources.hands import ProcessDetail

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


FRESH_S = 5.0
"""How long a parent is taken to be the parent still: a tree is drawn every second, and at every key."""
MOST_PARENTS = 16384
_ENDED = frozenset("ZXx")
"""Letters of the kernel for a process that runs no more (proc_pid_stat(5))."""


class HostHands:
    """Works on the processes that `/proc` shows; see `dstop.sources.hands.Hands` for what each call promises."""

    def __init__(self, root: str = "/proc") -> None:
        self._root = root
        self._known: dict[int, tuple[int | None, str]] = {}
        self._read_at_s = 0.0

    def detail(self, pid: int, started_at_s: float | None) -> ProcessDetail:
        """Read environment, ancestors and facts; a process that hangs hangs its reader: call it in a thread."""
        from dstop.sources.procfs.ancestors import ancestors  # noqa: PLC0415 - the first frame does without
        from dstop.sources.procfs.environment import read_environment  # noqa: PLC0415 - as above
        from dstop.sources.procfs.facts import complete_facts, read_basics  # noqa: PLC0415 - as above
        from dstop.sources.procfs.frameworks import mapped_framework  # noqa: PLC0415 - as above
        from dstop.sources.procfs.redaction import redact  # noqa: PLC0415 - as above
        from dstop.sources.procfs.stat import read_stat, same_start  # noqa: PLC0415 - as above

        stat = read_stat(pid, self._root)
        if stat is None or not same_start(stat, started_at_s, self._root):
            reason = (
                "not a process of this PID namespace" if started_at_s is None else "the process has ended"
            )
            return ProcessDetail(has_ended=started_at_s is not None, unavailable={"environment": reason})
        environment = read_environment(pid, self._root)
        framework = mapped_framework(pid, self._root)
        return ProcessDetail(
            environment=None if environment.values is None else tuple(redact(environment.values).items()),
            ancestors=tuple((parent.pid, parent.command) for parent in ancestors(pid, root=self._root)),
            facts=complete_facts(read_basics(stat, self._root), stat, self._root),
            has_ended=stat.state in _ENDED,
            libraries=() if framework is None else (framework,),
            unavailable={} if environment.reason is None else {"environment": environment.reason},
        )

    def parents(self, pids: Iterable[int]) -> Mapping[int, tuple[int | None, str]]:
        """Give (parent, command) of these processes and of all above them; each is read once in a while."""
        now_s = time.monotonic()
        if now_s - self._read_at_s > FRESH_S:
            self._known, self._read_at_s = {}, now_s
        found: dict[int, tuple[int | None, str]] = {}
        for pid in pids:
            step: int | None = pid
            while step is not None and step > 0 and step not in found and len(found) < MOST_PARENTS:
                entry = self._entry(step)
                if entry is None:
                    break
                found[step] = entry
                step = entry[0]
        return found

    def _entry(self, pid: int) -> tuple[int | None, str] | None:
        from dstop.sources.procfs.stat import read_stat  # noqa: PLC0415 - only for the tree

        entry = self._known.get(pid)
        if entry is None:
            stat = read_stat(pid, self._root)
            if stat is None:
                return None
            entry = self._known[pid] = (stat.ppid or None, stat.comm)
        return entry

    def signal(self, pid: int, started_at_s: float | None, signum: int) -> None:
        """Send a signal to this very process.

        Raises:
            DstopError: with the reason it was not sent.
        """
        from dstop.sources.procfs.signals import send_signal  # noqa: PLC0415 - only when asked

        send_signal(pid, started_at_s, signum, self._root)

"""The processes that use a GPU, seen from the host: one cheap read each per refresh, their facts once."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dstop.model.process import ProcessFacts
from dstop.model.value import Value
from dstop.sources.procfs.facts import GONE, owner_of
from dstop.sources.procfs.lineage import Lineage
from dstop.sources.procfs.namespace import OTHER_NAMESPACE, in_initial_pid_namespace
from dstop.sources.procfs.reader import FactsReader, Job
from dstop.sources.procfs.stat import TICKS_PER_S, Stat, StatFiles, started_at_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dstop.sources.procfs.reader import Reading

STUCK = "command line does not answer (process stuck in the kernel)"
ALL_STUCK = "not read: other processes are stuck in the kernel, and every reader with them"
NOT_YET = "not read yet"
FIRST_SIGHT = "needs two readings"
HIDDEN = "hidden from other users (hidepid): needs root"

_WAIT_S = 0.2
_SHORTEST_S = 0.1
"""Below it a CPU share is rounding: the kernel counts in hundredths of a second."""

_READ_AGAIN_S = 5.0
"""How often the facts of a process that renames itself are read again; Ray's workers do at every task."""

_KEPT_ROUNDS = 3
"""Updates that a process may be missing from before it is forgotten: the driver's lists flicker."""

_NOTHING: Mapping[str, str] = {}
_NEEDS_TWO: Mapping[str, str] = {"cpu_pct": FIRST_SIGHT}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class HostView(Value):
    """What the host says of one process now."""

    facts: ProcessFacts
    cpu_pct: float | None = None
    """100 is one core."""
    rss_bytes: int | None = None
    state: str | None = None
    """The kernel's letter: R, S, D, T, Z."""
    unavailable: Mapping[str, str] = field(default_factory=dict)


class _Entry:
    """What is remembered of one process between two updates."""

    __slots__ = ("asked_s", "comm", "cpu_pct", "facts", "job", "known", "round", "seen_s", "ticks")

    def __init__(self, stat: Stat, facts: ProcessFacts, now_s: float) -> None:
        self.job = Job(stat.pid, stat.start_ticks)
        self.facts = facts
        self.known = False
        self.comm = stat.comm
        self.asked_s = now_s
        self.ticks = stat.cpu_ticks
        self.seen_s = now_s
        self.cpu_pct: float | None = None
        self.round = 0


def refuses_us(pid: int) -> bool:
    """Whether a process is there and another user's: with hidepid=2 `/proc` does not even show its folder."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return False


class ProcessTable:
    """Host views of the processes the driver names. One thread updates; none is started before the first."""

    def __init__(
        self,
        root: str = "/proc",
        *,
        wait_s: float = _WAIT_S,
        reading: Reading | None = None,
        refuses: Callable[[int], bool] | None = None,
    ) -> None:
        """Make an empty table.

        Args:
            root: where the process file system is.
            wait_s: how long one update waits, at most and in all, for facts of processes that are new.
            reading: what reads the facts, unless it is `/proc`.
            refuses: whether a process that `root` does not show is there and another's, unless the kernel is asked.
        """
        self._root = root
        self._wait_s = wait_s
        self._reader = FactsReader(reading or Lineage(root).read)
        self._files = StatFiles(root)
        self._entries: dict[int, _Entry] = {}
        self._round = 0
        self._absent = GONE if in_initial_pid_namespace(root) else OTHER_NAMESPACE
        self._refuses = refuses or refuses_us
        self._most_pct = 100.0 * (os.cpu_count() or 1)

    def update(self, pids: Iterable[int], now_s: float) -> dict[int, HostView]:
        """Read every process once.

        Args:
            pids: as the driver names them; one that is not there gets a view that says why.
            now_s: seconds on a clock that never goes back.
        """
        self._round += 1
        stats = {pid: self._files.read(pid) for pid in pids}
        for stat in stats.values():
            if stat is not None and self._notice(stat, now_s):
                self._reader.ask(stat)
        self._take_answers(self._wait_s if self._is_any_new(stats) else 0.0)
        stuck = self._reader.stuck()
        views = {
            pid: self._absent_view(pid) if stat is None else self._view(stat, stuck)
            for pid, stat in stats.items()
        }
        if len(self._entries) > len(views):
            self._forget()
        if len(self._files) > len(self._entries):
            self._files.keep(self._entries)
        return views

    def stop(self) -> None:
        """End the reading thread and close its files; the table is of no use afterwards."""
        self._reader.stop()
        self._files.close()

    def _notice(self, stat: Stat, now_s: float) -> bool:
        """Bring the entry of a process up to date; True when its facts have to be read."""
        entry = self._entries.get(stat.pid)
        if entry is None or entry.job.start_ticks != stat.start_ticks:
            entry = self._entries[stat.pid] = _Entry(stat, self._first_facts(stat), now_s)
            entry.round = self._round
            return True
        entry.round = self._round
        elapsed_s = now_s - entry.seen_s
        if elapsed_s >= _SHORTEST_S:
            share = 100.0 * (stat.cpu_ticks - entry.ticks) / TICKS_PER_S / elapsed_s
            entry.cpu_pct = min(max(share, 0.0), self._most_pct)
            entry.ticks, entry.seen_s = stat.cpu_ticks, now_s
        if entry.comm != stat.comm and now_s - entry.asked_s >= _READ_AGAIN_S:
            entry.comm, entry.asked_s = stat.comm, now_s
            return True
        return not entry.known and not self._reader.is_waiting(entry.job)

    def _first_facts(self, stat: Stat) -> ProcessFacts:
        return ProcessFacts(
            pid=stat.pid,
            started_at_s=started_at_s(stat.start_ticks, self._root),
            ppid=stat.ppid,
            command=stat.comm.strip() or "?",
        )

    def _is_any_new(self, stats: Mapping[int, Stat | None]) -> bool:
        """Whether a process has no facts yet: for others' second reading nobody has to wait."""
        return any(stat is not None and not self._entries[pid].known for pid, stat in stats.items())

    def _take_answers(self, wait_s: float) -> None:
        for answer in self._reader.collect(wait_s):
            entry = self._entries.get(answer.job.pid)
            if entry is None or entry.job != answer.job or answer.facts is None:
                continue
            if not entry.known or answer.last:
                entry.facts = answer.facts
            entry.known = entry.known or answer.last

    def _view(self, stat: Stat, stuck: set[Job]) -> HostView:
        entry = self._entries[stat.pid]
        facts = entry.facts
        if not entry.known and not facts.cmdline:
            facts = replace(
                facts, unavailable={**facts.unavailable, "cmdline": self._why_unread(entry, stuck)}
            )
        return HostView(
            facts=facts,
            cpu_pct=entry.cpu_pct,
            rss_bytes=stat.rss_bytes,
            state=stat.state,
            unavailable=_NEEDS_TWO if entry.cpu_pct is None else _NOTHING,
        )

    def _why_unread(self, entry: _Entry, stuck: set[Job]) -> str:
        if entry.job in stuck:
            return STUCK
        return ALL_STUCK if self._reader.is_exhausted() else NOT_YET

    def _absent_view(self, pid: int) -> HostView:
        self._entries.pop(pid, None)
        uid = owner_of(pid, self._root)
        unseen = uid is None and not (self._absent == GONE and self._refuses(pid))
        why = self._absent if unseen else HIDDEN
        facts = ProcessFacts(pid=pid, uid=uid, unavailable={"command": why})
        return HostView(facts=facts, unavailable={"cpu_pct": why, "rss_bytes": why, "state": why})

    def _forget(self) -> None:
        oldest = self._round - _KEPT_ROUNDS
        self._entries = {pid: entry for pid, entry in self._entries.items() if entry.round > oldest}

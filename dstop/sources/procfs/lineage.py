"""The chain of parents of a process, and what a worker gets from it."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from dstop.sources.procfs.facts import complete_facts, read_basics
from dstop.sources.procfs.identity import inherit
from dstop.sources.procfs.stat import Stat, read_stat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.model.process import ProcessFacts

_GENERATIONS = 5
"""From a worker to its server: worker, engine, server, launcher, shell script."""

_MOST_KEPT = 512


def parents_of(pid: int, limit: int, root: str = "/proc") -> Iterator[Stat]:
    """Walk from a process' parent upwards, at most `limit` steps; no PID twice, even if the chain is torn."""
    met = {pid}
    stat = read_stat(pid, root)
    while stat is not None and stat.ppid > 0 and stat.ppid not in met and len(met) <= limit:
        met.add(stat.ppid)
        stat = read_stat(stat.ppid, root)
        if stat is not None:
            yield stat


class Lineage:
    """Reads facts in steps: what cannot hang, what may, then what the parents add. Any thread may call it.

    Parents are kept, as eight workers of one server have the same.
    """

    def __init__(self, root: str = "/proc") -> None:
        self._root = root
        self._kept: OrderedDict[tuple[int, int, str], ProcessFacts] = OrderedDict()

    def read(self, stat: Stat) -> Iterator[ProcessFacts]:
        """Give the facts of a process, better from step to step."""
        basics = read_basics(stat, self._root)
        yield basics
        facts = complete_facts(basics, stat, self._root)
        if not self._lives(stat):
            return
        yield facts
        with_parents = inherit(facts, self._parents(stat.pid))
        if with_parents is not facts:
            yield with_parents

    def _lives(self, stat: Stat) -> bool:
        """Whether what was read is the process' own: its number may have gone to another meanwhile."""
        now = read_stat(stat.pid, self._root)
        return now is not None and now.start_ticks == stat.start_ticks

    def _parents(self, pid: int) -> Iterator[ProcessFacts]:
        for stat in parents_of(pid, _GENERATIONS, self._root):
            key = (stat.pid, stat.start_ticks, stat.comm)
            facts = self._kept.get(key)
            if facts is None:
                facts = complete_facts(read_basics(stat, self._root), stat, self._root)
                self._kept[key] = facts
                if len(self._kept) > _MOST_KEPT:
                    self._kept.popitem(last=False)
            yield facts

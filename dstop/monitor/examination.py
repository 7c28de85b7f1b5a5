"""The monitor's memory as the rules see it: short series of every step, and long ones of every half minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.live.scene import Scene
from dstop.monitor.findings import Examiner
from dstop.monitor.histories import MOST_PROCESSES
from dstop.monitor.rings import Ring

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.model.event import Event
    from dstop.model.finding import Finding
    from dstop.model.frame import GpuHistory
    from dstop.model.guest import Guest, ProcessId
    from dstop.model.process import ProcessKey
    from dstop.model.sample import Sample
    from dstop.monitor.guest_watch import GuestWatch
    from dstop.monitor.histories import ProcessHistories

LONG_STEP_S = 30.0
LONG_STEPS = 120
"""An hour: a process that fills its card by tomorrow is seen to rise within it."""


class _LongPast:
    """Used memory of every card and process, one value each half minute; dropped with them."""

    def __init__(self) -> None:
        self.gpus: dict[int, Ring] = {}
        self.processes: dict[ProcessKey, Ring] = {}
        self._due_ns = 0

    def push(self, sample: Sample) -> None:
        """Take a reading when it is time for one."""
        now = sample.taken_at_ns
        if now < self._due_ns <= now + 2 * LONG_STEP_S * 1e9:
            return
        self._due_ns = now + int(LONG_STEP_S * 1e9)
        gpus = {gpu.index: self.gpus.get(gpu.index) or Ring(LONG_STEPS) for gpu in sample.gpus}
        for gpu in sample.gpus:
            gpus[gpu.index].push(gpu.memory_pct if gpu.fault is None else None)
        kept: dict[ProcessKey, Ring] = {}
        for row in sample.processes:
            key = row.key
            if key not in kept and len(kept) < MOST_PROCESSES:
                kept[key] = self.processes.get(key) or Ring(LONG_STEPS)
                kept[key].push(row.gpu_memory_bytes)
        self.gpus, self.processes = gpus, kept

    def used_of(self, index: int) -> Sequence[float | None]:
        """Give the past of a card."""
        ring = self.gpus.get(index)
        return () if ring is None else ring.values()

    def memory_of(self, key: ProcessKey) -> Sequence[float | None]:
        """Give the past of a process."""
        ring = self.processes.get(key)
        return () if ring is None else ring.values()


class Examination:
    """Sets the scene of each step, and has the rules look at it."""

    def __init__(self, processes: ProcessHistories, examiner: Examiner | None = None) -> None:
        self.findings: tuple[Finding, ...] = ()
        """What stands since the last step."""
        self._processes = processes
        self._examiner = examiner or Examiner()
        self._long = _LongPast()

    def step(
        self,
        sample: Sample,
        *,
        step_s: float,
        history: Mapping[int, GpuHistory],
        events: Sequence[Event],
        guests: GuestWatch | None,
    ) -> list[Event]:
        """Look at a sample that is already part of its past; gives what is new."""
        self._long.push(sample)
        current: Mapping[ProcessId, Guest] = {} if guests is None else guests.current
        scene = Scene(
            sample=sample,
            step_s=step_s,
            history=history,
            guests=current,
            events=events,
            memory_of=self._processes.memory_of,
            sm_of=self._processes.sm_of,
            long_step_s=LONG_STEP_S,
            long_used_of=self._long.used_of,
            long_memory_of=self._long.memory_of,
            **({} if guests is None else {"allocator_of": guests.past_of}),
        )
        self.findings, news = self._examiner.examine(scene)
        return news

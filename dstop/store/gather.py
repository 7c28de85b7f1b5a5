"""Readings of some seconds, added up by bucket, until they are written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from dstop.store.tiers import TIERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dstop.model.event import Event
    from dstop.model.gpu import Gpu
    from dstop.model.past import PastIncident
    from dstop.model.process import GpuProcess, ProcessFacts
    from dstop.model.sample import Sample
    from dstop.store.tiers import Tier


class Bucket(NamedTuple):
    """A stretch of time at one resolution."""

    tier: int
    at_s: int


class ProcessName(NamedTuple):
    """A process for as long as the machine is up: the kernel gives a PID to the next comer."""

    pid: int
    started_ms: int
    """Milliseconds since the epoch; -1 where the host cannot see the process."""


@dataclass(slots=True)
class Amount:
    """Count, sum and maximum of one figure; a reading that is None leaves it as it is."""

    count: int = 0
    total: float = 0
    most: float | None = None

    def add(self, value: float | None) -> None:
        """Take in one reading."""
        if value is None:
            return
        self.count += 1
        self.total += value
        self.most = value if self.most is None or value > self.most else self.most


@dataclass(slots=True)
class GpuSums:
    """One card in one bucket."""

    readings: int = 0
    memory: Amount = field(default_factory=Amount)
    busy: Amount = field(default_factory=Amount)
    power: Amount = field(default_factory=Amount)
    temperature: Amount = field(default_factory=Amount)

    def add(self, gpu: Gpu) -> None:
        """Take in one reading; a card that is lost or silent says nothing, which is counted as a reading too."""
        self.readings += 1
        if gpu.fault is not None or gpu.stale_s:
            return
        self.memory.add(gpu.memory_used_bytes)
        self.busy.add(gpu.utilization_gpu_pct)
        self.power.add(gpu.power_mw)
        self.temperature.add(gpu.temperature_c)


@dataclass(slots=True)
class ProcessSums:
    """One process on one card in one bucket."""

    readings: int = 0
    memory: Amount = field(default_factory=Amount)
    busy: Amount = field(default_factory=Amount)
    allocated: Amount = field(default_factory=Amount)
    reserved: Amount = field(default_factory=Amount)

    def add(self, process: GpuProcess) -> None:
        """Take in one reading."""
        self.readings += 1
        self.memory.add(process.gpu_memory_bytes)
        self.busy.add(process.sm_pct)
        if process.allocator is not None:
            self.allocated.add(process.allocator.allocated_bytes)
            self.reserved.add(process.allocator.reserved_bytes)


def gpu_name(gpu: Gpu) -> str:
    """Give what a card is known by: its UUID, or its place where the driver tells none."""
    return gpu.uuid or f"index:{gpu.index}"


def process_name(facts: ProcessFacts) -> ProcessName:
    """Give what a process is known by."""
    started = facts.started_at_s
    return ProcessName(facts.pid, -1 if started is None else round(started * 1000))


class Gathered:
    """What has been read and not yet written. One thread adds; the writer takes all of it when it has been written."""

    def __init__(self, tiers: Sequence[Tier] = TIERS) -> None:
        self.tiers = tiers
        self.gpus: dict[str, Gpu] = {}
        self.processes: dict[ProcessName, ProcessFacts] = {}
        self.gpu_points: dict[Bucket, dict[str, GpuSums]] = {}
        self.process_points: dict[Bucket, dict[tuple[str, ProcessName], ProcessSums]] = {}
        self.events: list[Event] = []
        self.incidents: list[PastIncident] = []
        self.lost_s = 0
        """Seconds that were given up because nothing could be written for too long."""

    @property
    def seconds(self) -> int:
        """How many buckets of the finest resolution wait."""
        return sum(1 for bucket in self.gpu_points if bucket.tier == 0)

    def add(self, sample: Sample, events: Iterable[Event] = ()) -> None:
        """Take in one sample, at every resolution, and what has happened since the one before."""
        names = {gpu.index: gpu_name(gpu) for gpu in sample.gpus}
        for gpu in sample.gpus:
            self.gpus[names[gpu.index]] = gpu
        rows = [
            (names[process.gpu_index], process_name(process.facts), process)
            for process in sample.processes
            if process.gpu_index in names
        ]
        for _, name, process in rows:
            self.processes[name] = process.facts
        for number, tier in enumerate(self.tiers):
            bucket = Bucket(number, tier.start_of(sample.taken_at_ns / 1e9))
            cards = self.gpu_points.setdefault(bucket, {})
            for gpu in sample.gpus:
                cards.setdefault(names[gpu.index], GpuSums()).add(gpu)
            points = self.process_points.setdefault(bucket, {})
            for card, name, process in rows:
                points.setdefault((card, name), ProcessSums()).add(process)
        self.events.extend(events)

    def give_up(self, most_seconds: int) -> None:
        """Forget the oldest second for each one above a number: memory is bounded also when the disk is full."""
        seconds = sorted(bucket for bucket in self.gpu_points if bucket.tier == 0)
        for bucket in seconds[: max(0, len(seconds) - most_seconds)]:
            del self.gpu_points[bucket]
            self.process_points.pop(bucket, None)
            self.lost_s += 1
        self.events = self.events[-_MOST_EVENTS:]
        self.incidents = self.incidents[-_MOST_EVENTS:]


_MOST_EVENTS = 10_000

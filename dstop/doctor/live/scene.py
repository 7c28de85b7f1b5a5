"""What a live rule may ask: the newest sample, what went before it, and what hooks tell; nothing is read or changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from dstop.model.allocator import Allocator, AllocatorHistory
    from dstop.model.event import Event, EventKind
    from dstop.model.frame import GpuHistory
    from dstop.model.gpu import Gpu
    from dstop.model.guest import Guest, ProcessId
    from dstop.model.process import GpuProcess, ProcessKey
    from dstop.model.sample import Sample

    Series = Sequence[float | None]

RECENT_S = 300.0
"""How far back events are looked at."""
STALE_S = 3.0
"""Figures of a card that are older than this are no figures: rules about its work leave it out."""


def _nothing(_: object) -> tuple[float | None, ...]:
    return ()


def _no_allocator(_: object) -> Mapping[int, AllocatorHistory]:
    return {}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Scene:
    """One moment of a machine and its past. Series are oldest first, one value each `step_s`, None where unknown."""

    sample: Sample
    step_s: float = 1.0
    history: Mapping[int, GpuHistory] = field(default_factory=dict)
    """By GPU: percentages of use, memory and power."""
    guests: Mapping[ProcessId, Guest] = field(default_factory=dict)
    events: Sequence[Event] = ()
    """Oldest first."""
    memory_of: Callable[[ProcessKey], Series] = _nothing
    sm_of: Callable[[ProcessKey], Series] = _nothing
    allocator_of: Callable[[ProcessId], Mapping[int, AllocatorHistory]] = _no_allocator
    """The past of a guest's devices, by PyTorch's numbers."""
    long_step_s: float = 30.0
    long_used_of: Callable[[int], Series] = _nothing
    """Used memory of a GPU in percent, one value each `long_step_s`."""
    long_memory_of: Callable[[ProcessKey], Series] = _nothing

    @cached_property
    def gpus(self) -> Mapping[int, Gpu]:
        """Every card that answers, by index."""
        return {gpu.index: gpu for gpu in self.sample.gpus if gpu.fault is None and gpu.stale_s < STALE_S}

    @cached_property
    def on_gpu(self) -> Mapping[int, list[GpuProcess]]:
        """The rows of each card."""
        found: dict[int, list[GpuProcess]] = {}
        for row in self.sample.processes:
            found.setdefault(row.gpu_index, []).append(row)
        return found

    @cached_property
    def jobs(self) -> Mapping[str, list[GpuProcess]]:
        """The rows of each job of several ranks, on cards that answer."""
        found: dict[str, list[GpuProcess]] = {}
        for row in self.sample.processes:
            facts = row.facts
            if facts.job is not None and facts.rank is not None and (facts.world_size or 2) > 1:
                found.setdefault(facts.job, []).append(row)
        return {job: rows for job, rows in found.items() if len(rows) > 1}

    @property
    def inside(self) -> Iterator[tuple[GpuProcess, Allocator]]:
        """Rows whose allocator is known, with it."""
        if self.guests:
            for row in self.sample.processes:
                if row.allocator is not None:
                    yield row, row.allocator

    def room_of(self, row: GpuProcess) -> int | None:
        """Give what is free where a process runs: on its slice, or on its card."""
        gpu = self.gpus.get(row.gpu_index)
        if gpu is None:
            return None
        if row.gpu_instance_id is not None:
            slices = (one for one in gpu.mig if one.gpu_instance_id == row.gpu_instance_id)
            return next((one.memory_free_bytes for one in slices), None)
        return gpu.memory_free_bytes

    def age_s(self, row: GpuProcess) -> float | None:
        """Give how old a process is."""
        started = row.facts.started_at_s
        return None if started is None else self.sample.taken_at_ns / 1e9 - started

    def recent(self, kind: EventKind, within_s: float = RECENT_S) -> list[Event]:
        """Give the events of a kind of the last minutes, oldest first."""
        since = self.sample.taken_at_ns - within_s * 1e9
        found: list[Event] = []
        for event in reversed(self.events):
            if event.at_ns < since:
                break
            if event.kind is kind:
                found.append(event)
        return found[::-1]


def usable_bytes(gpu: Gpu) -> int | None:
    """Give the memory that programs can have."""
    if gpu.memory_total_bytes is None:
        return None
    return gpu.memory_total_bytes - (gpu.memory_reserved_bytes or 0)

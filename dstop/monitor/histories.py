"""What a Monitor remembers of every GPU and process, in bounded memory."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from dstop.model.frame import GpuHistory, ProcessHistory
from dstop.monitor.health import is_stale
from dstop.monitor.rings import Ring

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dstop.model.gpu import Gpu
    from dstop.model.process import GpuProcess, ProcessKey

MOST_PROCESSES = 2048
"""Rows beyond these are shown, but have no past: 2048 rows of 120 readings take 4 MB."""
MOST_PROCESS_STEPS = 120

MOST_GPUS = 256


class _Energy:
    """What a counter has counted since it was first read; one that starts anew (the driver was loaded) goes on."""

    __slots__ = ("_last_mj", "used_mj")

    def __init__(self) -> None:
        self._last_mj: int | None = None
        self.used_mj: int | None = None

    def read(self, counter_mj: int) -> None:
        """Take in the newest reading."""
        if self.used_mj is None or self._last_mj is None:
            self.used_mj = 0
        else:
            self.used_mj += counter_mj - self._last_mj if counter_mj >= self._last_mj else counter_mj
        self._last_mj = counter_mj


class GpuHistories:
    """One value a step for every GPU; one that is gone for a whole window is forgotten."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._past: dict[int, tuple[deque[float | None], ...]] = {}
        self._steps: dict[int, int] = {}
        self._energy: dict[int, _Energy] = {}

    def push(self, gpus: Iterable[Gpu]) -> None:
        """Add one step; a GPU that is silent, lost or missing gets None, so that all stay in step."""
        gpus = tuple(gpus)
        readings = {gpu.index: _gpu_values(gpu) for gpu in gpus}
        for index in readings:
            if index not in self._past and len(self._past) < MOST_GPUS:
                self._past[index] = tuple(deque(maxlen=self._capacity) for _ in range(4))
        for gpu in gpus:
            if gpu.energy_mj is not None and gpu.fault is None:
                self._energy.setdefault(gpu.index, _Energy()).read(gpu.energy_mj)
        forgotten = []
        for index, rings in self._past.items():
            for ring, value in zip(rings, readings.get(index, _NOTHING), strict=True):
                ring.append(value)
            self._steps[index] = self._steps.get(index, 0) + 1
            self._energy.setdefault(index, _Energy())
            full = len(rings[0]) == self._capacity
            if index not in readings and full and all(value is None for ring in rings for value in ring):
                forgotten.append(index)
        for index in forgotten:
            del self._past[index], self._steps[index], self._energy[index]

    def values(self) -> dict[int, GpuHistory]:
        """Give what a Frame carries."""
        return {
            index: GpuHistory(
                utilization_pct=tuple(utilization),
                memory_pct=tuple(memory),
                power_pct=tuple(power),
                temperature_c=tuple(temperature),
                energy_mj=self._energy[index].used_mj,
                steps=self._steps[index],
            )
            for index, (utilization, memory, power, temperature) in self._past.items()
        }


_NOTHING = (None, None, None, None)


def _gpu_values(gpu: Gpu) -> tuple[float | None, float | None, float | None, float | None]:
    if gpu.fault is not None or is_stale(gpu):
        return _NOTHING
    power = None
    if gpu.power_mw is not None and gpu.power_limit_mw:
        power = 100 * gpu.power_mw / gpu.power_limit_mw
    return gpu.utilization_gpu_pct, gpu.memory_pct, power, gpu.temperature_c


class ProcessHistories:
    """One value a reading for every process that is there; dropped with the process."""

    def __init__(self, capacity: int) -> None:
        self._capacity = min(capacity, MOST_PROCESS_STEPS)
        self._past: dict[ProcessKey, Ring] = {}

    def __len__(self) -> int:
        return len(self._past)

    def push(self, processes: Iterable[GpuProcess]) -> None:
        """Add one reading, and forget the processes that are not in it."""
        kept: dict[ProcessKey, Ring] = {}
        fresh: dict[ProcessKey, GpuProcess] = {}
        for process in processes:
            key = process.key
            ring = self._past.get(key)
            if ring is None:
                fresh.setdefault(key, process)
            elif key not in kept:
                kept[key] = ring
                _push(ring, process)
        for key, process in fresh.items():
            if len(kept) >= MOST_PROCESSES:
                break
            kept[key] = Ring(self._capacity, _NUMBERS)
            _push(kept[key], process)
        self._past = kept

    def values(self, keys: Iterable[ProcessKey]) -> Mapping[ProcessKey, ProcessHistory]:
        """Give the past of the processes asked for, as far as they are remembered."""
        return {
            key: ProcessHistory(
                gpu_memory_bytes=ring.values(0),
                sm_pct=ring.values(1),
                cpu_pct=ring.values(2),
                rss_bytes=ring.values(3),
            )
            for key in keys
            if (ring := self._past.get(key)) is not None
        }

    def memory_of(self, key: ProcessKey) -> tuple[float | None, ...]:
        """Give the memory of one process over time."""
        ring = self._past.get(key)
        return () if ring is None else ring.values(0)

    def sm_of(self, key: ProcessKey) -> tuple[float | None, ...]:
        """Give the SM share of one process over time."""
        ring = self._past.get(key)
        return () if ring is None else ring.values(1)


_NUMBERS = 4


def _push(ring: Ring, process: GpuProcess) -> None:
    ring.push(process.gpu_memory_bytes, process.sm_pct, process.cpu_pct, process.rss_bytes)

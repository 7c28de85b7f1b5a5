"""What a Monitor remembers of the allocators of attached processes, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.model.allocator import AllocatorHistory
from dstop.monitor.histories import MOST_PROCESS_STEPS
from dstop.monitor.rings import Ring

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dstop.model.guest import Guest, ProcessId

MOST_DEVICES = 2048
"""Devices of all processes: those beyond are shown, but have no past. 120 steps of 2048 take 4 MB."""
_NUMBERS = 5
_NOTHING = (None,) * _NUMBERS


class AllocatorHistories:
    """One value a step for every device of every guest; dropped with the guest."""

    def __init__(self, capacity: int) -> None:
        self._capacity = min(capacity, MOST_PROCESS_STEPS)
        self._past: dict[ProcessId, dict[int, Ring]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._past.values()))

    def push(self, guests: Mapping[ProcessId, Guest]) -> None:
        """Add one step; figures that are old count as none, and a device that is silent stays in step."""
        self._past = {process: rings for process, rings in self._past.items() if process in guests}
        room = MOST_DEVICES - len(self)
        for process, guest in guests.items():
            rings = self._past.setdefault(process, {})
            fresh = {device.index: device for device in guest.devices} if guest.stale_s is None else {}
            for index in fresh.keys() - rings.keys():
                if room > 0:
                    rings[index] = Ring(self._capacity, _NUMBERS)
                    room -= 1
            for index, ring in rings.items():
                device = fresh.get(index)
                if device is None:
                    ring.push(*_NOTHING)
                else:
                    ring.push(
                        device.requested_bytes,
                        device.allocated_bytes,
                        device.active_bytes,
                        device.reserved_bytes,
                        device.num_alloc_retries,
                    )

    def values(self, processes: Iterable[ProcessId]) -> Mapping[ProcessId, Mapping[int, AllocatorHistory]]:
        """Give the past of the processes asked for, as far as they are remembered."""
        return {
            process: {
                index: AllocatorHistory(
                    requested_bytes=ring.values(0),
                    allocated_bytes=ring.values(1),
                    active_bytes=ring.values(2),
                    reserved_bytes=ring.values(3),
                    num_alloc_retries=ring.values(4),
                )
                for index, ring in sorted(rings.items())
            }
            for process in processes
            if (rings := self._past.get(process))
        }

"""What happened inside attached processes between two steps: memory that ran out, a black box, a hook that left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.model.event import Event, EventKind
from dstop.monitor.process_events import ONE_BY_ONE, process_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dstop.model.allocator import Allocator
    from dstop.model.guest import Guest, ProcessId
    from dstop.model.process import GpuProcess
    from dstop.model.sample import Sample

FLUSHES_EVERY_NS = 60 * 10**9
"""A job that thrashes flushes its cache at every step: once a minute is enough to be read."""


class GuestLog:
    """Compares the guests of a step with those of the one before."""

    def __init__(self) -> None:
        self._before: Mapping[ProcessId, Guest] = {}
        self._flushes: dict[ProcessId, tuple[int, int]] = {}
        """When flushes were last told, and how many there have been since."""

    def observe(self, guests: Mapping[ProcessId, Guest], sample: Sample, now: int) -> list[Event]:
        """Say what is new; what a process had counted before it was first seen was there already.

        Args:
            guests: of this step.
            sample: the newest, with allocators in its rows.
            now: nanoseconds since the epoch.
        """
        rows: dict[ProcessId, list[GpuProcess]] = {}
        for row in sample.processes:
            rows.setdefault(row.id, []).append(row)
        before, self._before = self._before, guests
        came = [process for process in guests if process not in before]
        left = [process for process in before if process not in guests and process in rows]
        events = [
            *_together(came, EventKind.HOOK_CAME, "dstop sees inside {}", rows, now),
            *_together(
                left, EventKind.HOOK_LEFT, "dstop no longer sees inside {}: its hook has left", rows, now
            ),
        ]
        for process, guest in guests.items():
            old = before.get(process)
            if old is not None and guest is not old:
                events += _happened(old, guest, rows.get(process, ()), now)
                events += self._flushed(old, guest, rows.get(process, ()), now)
        self._flushes = {process: told for process, told in self._flushes.items() if process in guests}
        return events

    def _flushed(self, old: Guest, new: Guest, rows: Iterable[GpuProcess], now: int) -> list[Event]:
        """Tell of caches that were flushed since this was last told, but not too often."""
        told_ns, untold = self._flushes.get(new.id, (now - FLUSHES_EVERY_NS, 0))
        untold += sum(
            _more(before.num_alloc_retries, device.num_alloc_retries) for before, device in _devices(old, new)
        )
        if untold == 0 or now - told_ns < FLUSHES_EVERY_NS:
            self._flushes[new.id] = (told_ns, untold)
            return []
        self._flushes[new.id] = (now, 0)
        text = f"{_who(new.id, rows)} flushed its cache{_times(untold)}: the driver had no memory left for it"
        return [Event(at_ns=now, kind=EventKind.CACHE_FLUSHED, text=text, pid=new.pid)]


def _happened(old: Guest, new: Guest, rows: Iterable[GpuProcess], now: int) -> Iterator[Event]:
    rows = tuple(rows)
    who = _who(new.id, rows)
    for before, device in _devices(old, new):
        more = _more(before.num_ooms, device.num_ooms)
        if more:
            index = _gpu_of(device, rows)
            where = f"device {device.index}" if index is None else f"GPU {index}"
            text = f"{who}: out of memory on {where}{_times(more)} (caught or not)"
            yield Event(at_ns=now, kind=EventKind.OUT_OF_MEMORY, text=text, gpu_index=index, pid=new.pid)
    if new.incidents > old.incidents:
        text = f"{who} left a black box: run dstop doctor"
        yield Event(at_ns=now, kind=EventKind.BLACK_BOX, text=text, pid=new.pid)


def _devices(old: Guest, new: Guest) -> Iterator[tuple[Allocator, Allocator]]:
    """Pair the devices that there were with those that there are."""
    earlier = {device.index: device for device in old.devices}
    return ((earlier[device.index], device) for device in new.devices if device.index in earlier)


def _more(old: int | None, new: int | None) -> int:
    return 0 if old is None or new is None else max(0, new - old)


def _gpu_of(device: Allocator, rows: Iterable[GpuProcess]) -> int | None:
    for row in rows:
        if row.allocator is not None and row.allocator.index == device.index:
            return row.gpu_index
    return None


def _together(
    processes: list[ProcessId],
    kind: EventKind,
    text: str,
    rows: Mapping[ProcessId, Iterable[GpuProcess]],
    now: int,
) -> Iterator[Event]:
    """Tell each, or of many at once only how many."""
    if len(processes) > ONE_BY_ONE:
        yield Event(at_ns=now, kind=kind, text=text.format(f"{len(processes)} processes"))
        return
    for process in processes:
        who = _who(process, rows.get(process, ()))
        yield Event(at_ns=now, kind=kind, text=text.format(who), pid=process.pid)


def _who(process: ProcessId, rows: Iterable[GpuProcess]) -> str:
    for row in rows:
        return f"{process_name(row.facts)} ({process.pid})"
    return f"process {process.pid}"


def _times(count: int) -> str:
    return "" if count == 1 else f" {count} times"

"""The hooks of a source beside its samples: asked before the driver is read, heard after, and never in its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.model.event import Event, EventKind
from dstop.monitor.allocator_histories import AllocatorHistories
from dstop.monitor.guest_events import GuestLog
from dstop.monitor.join import with_allocators

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dstop.model.allocator import AllocatorHistory
    from dstop.model.guest import Guest, ProcessId
    from dstop.model.sample import Sample
    from dstop.sources.guests import Guests

_WORDS_CELLS = 120


class GuestWatch:
    """What a Monitor knows of attached processes.

    Args:
        guests: the hooks.
        capacity: how many steps are remembered.
    """

    def __init__(self, guests: Guests, capacity: int) -> None:
        self.current: Mapping[ProcessId, Guest] = {}
        """The newest answers."""
        self._guests = guests
        self._log = GuestLog()
        self._past = AllocatorHistories(capacity)
        self._failure: str | None = None
        self._told = False

    def ask(self, sample: Sample) -> None:
        """Send this step's questions to the processes of a sample: they answer while the driver is read."""
        try:
            self._guests.ask(dict.fromkeys(row.id for row in sample.processes))
        except Exception as error:  # noqa: BLE001 - the figures of the driver must not depend on it
            self._failure = repr(error)

    def hear(self, sample: Sample, now_ns: Callable[[], int] | None = None) -> tuple[Sample, list[Event]]:
        """Take the answers; gives the sample with allocators in its rows, and what is new.

        Args:
            sample: the newest there is.
            now_ns: the wall clock, where the sample is an old one.
        """
        try:
            self.current = self._guests.answers()
        except Exception as error:  # noqa: BLE001 - the figures of the driver must not depend on it
            self.current = {}
            self._failure = repr(error)
        self._past.push(self.current)
        at_ns = sample.taken_at_ns if now_ns is None else now_ns()
        joined = with_allocators(sample, self.current)
        if self._failure is not None:
            return joined, self._told_once(at_ns)
        return joined, self._log.observe(self.current, joined, at_ns)

    def past(self, processes: Iterable[ProcessId]) -> Mapping[ProcessId, Mapping[int, AllocatorHistory]]:
        """Give the histories of these processes."""
        return self._past.values(processes)

    def past_of(self, process: ProcessId) -> Mapping[int, AllocatorHistory]:
        """Give the history of one process, by PyTorch's numbers of its devices."""
        return self._past.values((process,)).get(process, {})

    def close(self) -> None:
        """Let go of the hooks; safe to call twice."""
        self._guests.close()

    def _told_once(self, at_ns: int) -> list[Event]:
        failure, self._failure = self._failure or "", None
        if self._told:
            return []
        self._told = True
        words = "".join(char if char.isprintable() else " " for char in failure[:_WORDS_CELLS])
        text = f"attached processes cannot be asked: {words}"
        return [Event(at_ns=at_ns, kind=EventKind.HOOKS_FAILED, text=text)]

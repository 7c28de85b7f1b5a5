"""The Monitor: one step is one reading, remembered and compared with the one before."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

from dstop.errors import SourceError
from dstop.model.event import Event, EventKind
from dstop.model.frame import Frame, Problem
from dstop.model.guest import ProcessId
from dstop.monitor.cost import CostMeter
from dstop.monitor.events import events_between
from dstop.monitor.examination import Examination
from dstop.monitor.findings import Examiner
from dstop.monitor.histories import GpuHistories, ProcessHistories
from dstop.monitor.throttle import ThrottleLog
from dstop.units import duration_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from dstop.model.finding import Finding
    from dstop.model.frame import GpuHistory, OwnCost
    from dstop.model.process import ProcessKey
    from dstop.model.sample import Sample
    from dstop.monitor.expectations import Expectations
    from dstop.monitor.findings import More
    from dstop.monitor.guest_watch import GuestWatch
    from dstop.sources import Source
    from dstop.sources.guests import Guests

MOST_EVENTS = 500


class Alarms(Protocol):
    """Has others told of what the user wants them to know."""

    bells: int
    """How often the terminal's bell was to be rung so far."""

    def see(self, sample: Sample, findings: Sequence[Finding]) -> list[Event]:
        """Take one reading; gives what began, ended, or could not be told. Never waits."""
        ...

    def troubles(self, at_ns: int) -> list[Event]:
        """Give what could not be told, when there is no reading."""
        ...

    def close(self) -> None:
        """Begin nothing more."""
        ...


class Monitor:
    """Turns a source into Frames. One thread steps; the setters may be called from any other.

    Args:
        source: where samples come from; the Monitor closes it.
        interval_s: seconds between two steps, told to every Frame; the caller does the waiting.
        capacity: how many steps are remembered.
        now_ns: the wall clock, for the time of a problem.
        meter: measures what dstop itself costs.
        guests: the hooks in the processes of the source; the Monitor closes them.
        expectations: what the models of the source should hold; the Monitor closes them too.
        alarms: has others told of what is found; the Monitor closes them too.
        more_rules: gives the live rules of plugins.
    """

    def __init__(
        self,
        source: Source,
        *,
        interval_s: float,
        capacity: int = 300,
        now_ns: Callable[[], int] = time.time_ns,
        meter: CostMeter | None = None,
        guests: Guests | None = None,
        expectations: Expectations | None = None,
        alarms: Alarms | None = None,
        more_rules: More | None = None,
    ) -> None:
        self.interval_s = interval_s
        self._source = source
        self._now_ns = now_ns
        self._meter = meter or CostMeter()
        self._capacity = capacity
        self._hooks = guests
        self._expectations = expectations
        self._alarms = alarms
        self._more_rules = more_rules
        self._watched: frozenset[ProcessKey] = frozenset()
        self.forget()

    def forget(self, log: Iterable[Event] = (), *, knows_next: bool = False) -> None:
        """Begin anew, as if nothing had been read: what comes next is compared with nothing before it.

        For a source that jumps: what lies between two places of a recording has not happened at the jump. The thread
        that steps calls it.

        Args:
            log: what is known to have happened before.
            knows_next: whether that has all that the next step could tell: with nothing before it, it would tell of
                every hook that it came.
        """
        capacity = self._capacity
        self._gpus = GpuHistories(capacity)
        self._processes = ProcessHistories(capacity)
        self._examination = Examination(self._processes, Examiner(more=self._more_rules))
        self._throttle = ThrottleLog()
        self._guests = _watch(self._hooks, capacity)
        self._log: deque[Event] = deque(log, maxlen=MOST_EVENTS)
        self._events: tuple[Event, ...] = tuple(self._log)
        self._is_quiet = knows_next
        self._last: Sample | None = None
        self._problem: Problem | None = None
        self._drawn: tuple[Sample, Mapping[int, GpuHistory]] | None = None

    def step(self, *, patience_s: float = 0.5) -> Frame:
        """Read once and give the Frame; with a driver that is gone, the last sample and the problem.

        Raises:
            SourceError: when there has never been a sample.
        """
        self._ask(self._last)
        try:
            sample = self._source.read(patience_s=patience_s)
        except SourceError as error:
            return self._without_sample(error)
        if self._last is None:
            self._ask(sample)
        self._note(self._driver_back(sample))
        self._note(events_between(self._last, sample))
        self._note(self._throttle.observe(sample))
        joined = self._joined(sample)
        self._gpus.push(sample.gpus)
        self._processes.push(sample.processes)
        self._last = sample
        history = self._gpus.values()
        self._note(
            self._examination.step(
                joined,
                step_s=self.interval_s,
                history=history,
                events=self._events,
                guests=self._guests,
            )
        )
        if self._alarms is not None:
            self._note(self._alarms.see(joined, self._examination.findings))
        return self._frame(joined, history)

    def watch(self, fields: AbstractSet[str]) -> None:
        """Have the source read these costly fields from the next step on."""
        self._source.watch(fields)

    def watch_process(self, keys: Iterable[ProcessKey]) -> None:
        """Carry the histories of these processes, and of no others, in the Frames to come."""
        self._watched = frozenset(keys)

    def again(self) -> Frame | None:
        """Give the newest frame with the histories that are watched by now; None before the first."""
        return None if self._drawn is None else self._frame(*self._drawn)

    def own_cost(self) -> OwnCost | None:
        """Give what dstop took from the host since this was last asked."""
        return self._meter.since_last()

    def close(self) -> None:
        """Let go of the source and of the hooks; safe to call twice."""
        try:
            if self._guests is not None:
                self._guests.close()
            if self._expectations is not None:
                self._expectations.close()
            if self._alarms is not None:
                self._alarms.close()
        finally:
            self._source.close()

    def _ask(self, sample: Sample | None) -> None:
        if self._guests is not None and sample is not None:
            self._guests.ask(sample)

    def _joined(self, sample: Sample, now_ns: Callable[[], int] | None = None) -> Sample:
        """Give the sample with what the hooks have answered, and with what its models should hold."""
        if self._guests is not None:
            sample, events = self._guests.hear(sample, now_ns)
            self._note(events)
        if self._expectations is None:
            return sample
        return self._expectations.joined(sample, {} if self._guests is None else self._guests.current)

    def _without_sample(self, error: SourceError) -> Frame:
        if self._last is None:
            raise error
        if self._problem is None:
            now = self._now_ns()
            self._note(
                [Event(at_ns=now, kind=EventKind.DRIVER_GONE, text=f"no new figures: {error.message}")]
            )
            self._problem = Problem(message=error.message, fix=error.fix, since_ns=now)
        else:
            self._problem = Problem(message=error.message, fix=error.fix, since_ns=self._problem.since_ns)
        joined = self._joined(self._last, self._now_ns)
        if self._alarms is not None:
            self._note(self._alarms.troubles(self._now_ns()))
        self._gpus.push(())
        return self._frame(joined, self._gpus.values())

    def _driver_back(self, sample: Sample) -> list[Event]:
        if self._problem is None:
            return []
        away = duration_text((self._now_ns() - self._problem.since_ns) / 1e9)
        self._problem = None
        text = f"figures come again after {away}"
        return [Event(at_ns=sample.taken_at_ns, kind=EventKind.DRIVER_BACK, text=text)]

    def _note(self, events: Iterable[Event]) -> None:
        if self._is_quiet:
            return
        count = len(self._log)
        self._log.extend(events)
        if len(self._log) != count or count == MOST_EVENTS:
            self._events = tuple(self._log)

    def _frame(self, sample: Sample, history: Mapping[int, GpuHistory]) -> Frame:
        self._drawn = sample, history
        self._is_quiet = False
        guests = self._guests
        watched = {ProcessId(key.pid, key.started_at_s) for key in self._watched}
        return Frame(
            sample=sample,
            step_s=self.interval_s,
            history=history,
            watched=self._processes.values(self._watched),
            guests={} if guests is None else guests.current,
            allocator_history={} if guests is None else guests.past(watched),
            events=self._events,
            findings=self._examination.findings,
            cost=self.own_cost(),
            problem=self._problem,
            bells=0 if self._alarms is None else self._alarms.bells,
        )


def _watch(guests: Guests | None, capacity: int) -> GuestWatch | None:
    if guests is None:
        return None
    from dstop.monitor.guest_watch import GuestWatch  # noqa: PLC0415 - where there are no hooks, nor their cost

    return GuestWatch(guests, capacity)

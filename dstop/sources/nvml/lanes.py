"""The threads that call the driver: one for all GPUs while they answer, one for each after one did not.

A GPU whose calls hang must not stop the others, and eight threads a second must not be woken for nothing.
Threads are daemons and are never joined: a call that hangs for ever costs a thread, not the program.
"""

from __future__ import annotations

import time
from threading import Condition, Lock, Thread
from typing import TYPE_CHECKING, Protocol

from dstop.sources.nvml.reasons import ClosedError

if TYPE_CHECKING:
    from collections.abc import Iterable

SPREAD_AFTER_S = 0.25
"""A pass of one lane over all GPUs that takes longer than this is taken apart."""
FOLD_BELOW_S, FOLD_AFTER_S = 0.1, 30.0
"""When all GPUs together have taken less than this for so long, one lane is enough again."""


class Job(Protocol):
    """Something to read in every pass. It keeps what it found; it raises only for a bug of ours."""

    def prompt(self) -> None:
        """Read what the pass is waited for."""
        ...

    def linger(self) -> None:
        """Read what takes long, after all prompt parts are done; left out when there is no time."""
        ...


class _Lane:
    """One thread and the name it goes by as an owner."""

    __slots__ = ("retired",)

    def __init__(self) -> None:
        self.retired = False


class _Slot:
    """One job: who does it, how far it is, and what it took."""

    __slots__ = ("busy", "cost_s", "job", "lingered", "owner", "prompted")

    def __init__(self, job: Job, owner: _Lane, done: int) -> None:
        self.job = job
        self.owner = owner
        self.busy = False
        self.prompted = self.lingered = done
        self.cost_s = 0.0


class Lanes:
    """Does every job once a pass. `run` is for one thread; `stop` may come from another."""

    def __init__(self, jobs: Iterable[Job] = ()) -> None:
        self._lock = Lock()
        self._work = Condition(self._lock)
        self._done = Condition(self._lock)
        self._slots: list[_Slot] = []
        self._lanes: list[_Lane] = []
        self._pass = self._linger_pass = 0
        self._spread = False
        self._quick_since: float | None = None
        self._error: BaseException | None = None
        self._stopped = False
        self.assign(jobs)

    @property
    def count(self) -> int:
        """How many threads serve, or hang."""
        with self._lock:
            return sum(not lane.retired for lane in self._lanes)

    def assign(self, jobs: Iterable[Job]) -> None:
        """Do these jobs from the next pass on; the ones known already keep their lane and their state."""
        with self._lock:
            known = {id(slot.job): slot for slot in self._slots}
            self._slots = [known.get(id(job)) or self._new_slot(job) for job in jobs]
            self._retire_idle()

    def run(self, patience_s: float, *, linger: bool = True) -> frozenset[int]:
        """Do a pass; give the ids (`id(job)`) of the jobs that were not done within `patience_s`.

        With `linger` the jobs' long parts follow, after the pass; without, nobody looks at them.

        Raises:
            BaseException: what a job raised, since that is a bug and must not hide in a thread.
        """
        started = time.monotonic()
        with self._lock:
            self._pass += 1
            self._linger_pass = self._pass if linger else self._linger_pass
            self._work.notify_all()
            if not self._spread and not self._wait(started + min(SPREAD_AFTER_S, patience_s / 2)):
                self._spread_out()
            self._wait(started + patience_s)
            late = frozenset(id(slot.job) for slot in self._slots if slot.prompted < self._pass)
            self._consider_folding(bool(late))
            error, self._error = self._error, None
        if error is not None:
            raise error
        return late

    def stop(self) -> None:
        """Let every lane end after the call it is in; wake whoever waits for a pass."""
        with self._lock:
            self._stopped = True
            for lane in self._lanes:
                lane.retired = True
            self._work.notify_all()
            self._done.notify_all()

    def _wait(self, until: float) -> bool:
        """Wait for the pass to be done, at most `until` (monotonic seconds); tell whether it is."""
        while not self._stopped and self._error is None and self._behind():
            left = until - time.monotonic()
            if left <= 0 or not self._done.wait(left):
                return not self._behind()
        return True

    def _behind(self) -> bool:
        return any(slot.prompted < self._pass for slot in self._slots)

    def _new_slot(self, job: Job) -> _Slot:
        alone = None if self._spread else next((lane for lane in self._lanes if not lane.retired), None)
        return _Slot(job, alone or self._new_lane(), self._pass)

    def _new_lane(self) -> _Lane:
        lane = _Lane()
        lane.retired = self._stopped
        self._lanes = [old for old in self._lanes if not old.retired]
        self._lanes.append(lane)
        Thread(target=self._serve, args=(lane,), name="dstop-nvml", daemon=True).start()
        return lane

    def _spread_out(self) -> None:
        """Give every job a lane of its own; the one that is being done keeps the lane that hangs with it."""
        self._spread, self._quick_since = True, None
        for slot in self._slots:
            if not slot.busy:
                slot.owner = self._new_lane()
        self._retire_idle()

    def _consider_folding(self, late: bool) -> None:
        if not self._spread:
            return
        now = time.monotonic()
        if late or sum(slot.cost_s for slot in self._slots) > FOLD_BELOW_S:
            self._quick_since = None
        elif self._quick_since is None:
            self._quick_since = now
        elif now - self._quick_since >= FOLD_AFTER_S and not any(slot.busy for slot in self._slots):
            self._spread = False
            for slot in self._slots:
                slot.owner = self._slots[0].owner
            self._retire_idle()

    def _retire_idle(self) -> None:
        owners = {id(slot.owner) for slot in self._slots}
        for lane in self._lanes:
            lane.retired = lane.retired or id(lane) not in owners
        self._work.notify_all()

    def _next(self, lane: _Lane) -> tuple[_Slot, bool] | None:
        """Choose what a lane does now: a prompt part that waits, else the longest unread long part."""
        mine = [slot for slot in self._slots if slot.owner is lane]
        for slot in mine:
            if slot.prompted < self._pass:
                return slot, True
        waiting = [slot for slot in mine if slot.lingered < self._linger_pass]
        return (min(waiting, key=lambda slot: slot.lingered), False) if waiting else None

    def _serve(self, lane: _Lane) -> None:
        """Be a lane."""
        with self._lock:
            while not lane.retired:
                chosen = self._next(lane)
                if chosen is None:
                    self._work.wait()
                    continue
                slot, prompt = chosen
                slot.busy, number, started = True, self._pass, time.monotonic()
                self._lock.release()
                try:
                    error = _attempt(slot.job, prompt=prompt)
                finally:
                    self._lock.acquire()
                slot.busy = False
                self._error = self._error or error
                if prompt:
                    slot.prompted, slot.cost_s = number, time.monotonic() - started
                else:
                    slot.lingered = number
                if self._error is not None or not self._behind():
                    self._done.notify_all()


def _attempt(job: Job, *, prompt: bool) -> BaseException | None:
    """Do one part of a job; give what it raised, except that the source was closed under it."""
    try:
        if prompt:
            job.prompt()
        else:
            job.linger()
    except ClosedError:
        return None
    except BaseException as error:  # noqa: BLE001 - raised again where the pass is waited for
        return error
    return None

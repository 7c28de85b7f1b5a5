"""Writes what was gathered, keeps the file within its bounds, and says what is wrong where it cannot."""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from dstop.model.event import Event, EventKind
from dstop.store import statements
from dstop.store.connect import connect, is_damage, set_aside
from dstop.store.gather import Gathered
from dstop.store.prune import forget_processes, prune
from dstop.store.tiers import MOST_BYTES, TIERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dstop.model.past import PastIncident
    from dstop.model.sample import Sample
    from dstop.store.gather import Amount, Bucket, ProcessName
    from dstop.store.tiers import Tier

SAME_EVENT_NS = 3_000_000_000
MOST_WAITING_S = 3600
"""Readings that wait for a disk that has room again; older ones are given up, and that is written down."""
TIDY_FLUSHES = 360
JUMP_S = 60.0
"""A wall clock that moved this much against the steady one has been set."""


class Writer:
    """One recorder of one file. What `flush` has returned from without trouble is on the disk.

    Args:
        path: of the file.
        tiers: resolutions; a file keeps the meaning of its tier numbers, so all its writers must agree.
        most_bytes: what the file may take.
        wall_ns: the wall clock.
        steady_s: a clock that nobody sets.

    Raises:
        StoreError: the file was written by a newer dstop, or its place cannot be used.
    """

    def __init__(
        self,
        path: str,
        *,
        tiers: Sequence[Tier] = TIERS,
        most_bytes: int = MOST_BYTES,
        wall_ns: Callable[[], int] = time.time_ns,
        steady_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path, self._most_bytes = path, most_bytes
        self._wall_ns, self._steady_s = wall_ns, steady_s
        self._waiting = Gathered(tiers)
        self._offset_s: float | None = None
        self._flushes = 0
        self.trouble: str | None = None
        """Why nothing is written at the moment; None while all is well."""
        self._file: sqlite3.Connection | None = self._open()

    def add(self, sample: Sample, events: Iterable[Event] = ()) -> None:
        """Take in one sample and what happened since the one before; nothing is on the disk before `flush`."""
        self._waiting.add(sample, (*self._clock_events(), *events))

    def note(self, incidents: Iterable[PastIncident]) -> None:
        """Take in where black boxes lie; one that is known already stays as it is."""
        self._waiting.incidents.extend(incidents)

    def flush(self) -> bool:
        """Write what waits.

        False, with `trouble` set, where that is not possible now: it waits on, in bounded memory.
        """
        try:
            self._file = self._file or self._open()
            if self._file is None:
                return self._keep()
            self._write(self._file)
        except sqlite3.Error as error:
            self._close_quietly()
            if is_damage(error):
                self._begin_anew()
            else:
                self.trouble = f"the recording {self.path} cannot be written: {error}"
            return self._keep()
        self.trouble = None
        self._waiting = Gathered(self._waiting.tiers)
        return True

    def close(self) -> bool:
        """Write what waits, and let go of the file; False when something could not be written."""
        written = self.flush()
        self._close_quietly()
        return written

    # ---- the file ----------------------------------------------------------------------------------------------

    def _open(self) -> sqlite3.Connection | None:
        try:
            return connect(self.path)
        except sqlite3.Error as error:
            if not is_damage(error):
                self.trouble = f"the recording {self.path} cannot be opened: {error}"
                return None
        self._begin_anew()
        try:
            return connect(self.path)
        except sqlite3.Error as error:
            self.trouble = f"the recording {self.path} cannot be opened: {error}"
            return None

    def _begin_anew(self) -> None:
        """Set a damaged file aside: what is in it may still be saved by hand, and recording goes on."""
        aside = set_aside(self.path)
        text = f"the recording was damaged: it was set aside as {aside}, and begun anew"
        self._waiting.events.append(Event(at_ns=self._wall_ns(), kind=EventKind.RECORDING, text=text))
        self.trouble = text

    def _close_quietly(self) -> None:
        if self._file is not None:
            with suppress(sqlite3.Error):
                self._file.close()
            self._file = None

    def _keep(self) -> bool:
        self._waiting.give_up(MOST_WAITING_S)
        return False

    # ---- one transaction ---------------------------------------------------------------------------------------

    def _write(self, file: sqlite3.Connection) -> None:
        waiting = self._waiting
        file.execute("BEGIN IMMEDIATE")
        try:
            if waiting.lost_s:
                text = f"{waiting.lost_s} s are known in coarser steps alone: nothing could be written"
                waiting.events.append(Event(at_ns=self._wall_ns(), kind=EventKind.RECORDING, text=text))
                waiting.lost_s = 0
            _put(file, waiting)
            prune(file, waiting.tiers, self._most_bytes)
            if self._flushes % TIDY_FLUSHES == 0:
                forget_processes(file)
            self._flushes += 1
        except BaseException:
            with suppress(sqlite3.Error):  # a full disk has rolled back already
                file.execute("ROLLBACK")
            raise
        file.execute("COMMIT")

    def _clock_events(self) -> list[Event]:
        """Say when the wall clock was set: the times on both sides do not belong to one line."""
        now_ns = self._wall_ns()
        offset = now_ns / 1e9 - self._steady_s()
        before, self._offset_s = self._offset_s, offset
        if before is None or abs(offset - before) < JUMP_S:
            return []
        way = "forward" if offset > before else "back"
        text = f"the clock was set {way} by {abs(offset - before):.0f} s"
        return [Event(at_ns=now_ns, kind=EventKind.RECORDING, text=text)]


def _put(file: sqlite3.Connection, waiting: Gathered) -> None:
    """Add all that waits to the file, within the caller's transaction."""
    cards = {
        name: _id(file, statements.GPU, (name, gpu.index, gpu.name, gpu.memory_total_bytes))
        for name, gpu in waiting.gpus.items()
    }
    processes = {name: _process(file, waiting, name) for name in waiting.processes}
    for bucket, points in waiting.gpu_points.items():
        place = _bucket(file, bucket)
        rows = [
            (
                *(place, cards[name], sums.readings),
                *_three(sums.memory),
                *_three(sums.busy),
                *_three(sums.power),
                sums.temperature.most,
            )
            for name, sums in points.items()
        ]
        file.executemany(statements.GPU_POINT, rows)
        inner = [
            (
                *(place, cards[card], processes[name], sums.readings),
                *_three(sums.memory),
                *_three(sums.busy),
                *(sums.allocated.most, sums.reserved.most),
            )
            for (card, name), sums in waiting.process_points.get(bucket, {}).items()
        ]
        file.executemany(statements.PROCESS_POINT, inner)
    for incident in waiting.incidents:
        file.execute(statements.INCIDENT, (incident.path, incident.at_ns, incident.title, incident.pid))
    for event in waiting.events:
        known = (event.at_ns, event.kind.value, event.text, event.gpu_index, event.pid)
        file.execute(statements.EVENT, (*known, SAME_EVENT_NS))


def _three(amount: Amount) -> tuple[int, float, float | None]:
    return amount.count, amount.total, amount.most


def _bucket(file: sqlite3.Connection, bucket: Bucket) -> int:
    file.execute(statements.BUCKET, bucket)
    (place,) = file.execute(statements.BUCKET_ID, bucket).fetchone()
    return int(place)


def _process(file: sqlite3.Connection, waiting: Gathered, name: ProcessName) -> int:
    facts = waiting.processes[name]
    return _id(file, statements.PROCESS, (*name, facts.command, facts.user, facts.job, facts.rank))


def _id(file: sqlite3.Connection, statement: str, values: tuple[object, ...]) -> int:
    (number,) = file.execute(statement, values).fetchone()
    return int(number)

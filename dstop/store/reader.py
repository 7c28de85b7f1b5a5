"""Asks the recording: what was on a card, who was on it, and what happened, between two times."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Self

from dstop.model.event import Event, EventKind
from dstop.model.past import Past, PastCard, PastIncident, PastPoint, PastProcess
from dstop.store.connect import connect_to_read
from dstop.store.tiers import TIERS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from dstop.store.tiers import Tier

_MOST_ROWS = 100_000
_GPU_POINTS = """
    SELECT bucket.at_s, memory_count, memory_sum, memory_most, busy_count, busy_sum, power_count, power_sum,
        temperature_most
    FROM gpu_point JOIN bucket ON bucket.id = gpu_point.bucket JOIN gpu ON gpu.id = gpu_point.gpu
    WHERE bucket.tier = ? AND bucket.at_s BETWEEN ? AND ? AND gpu.uuid = ? ORDER BY bucket.at_s LIMIT ?
"""
_PROCESSES = """
    SELECT process.pid, process.started_ms, process.command, process.user, process.job, process.rank,
        min(bucket.at_s), max(bucket.at_s), max(memory_most), max(allocated_most), max(reserved_most)
    FROM process_point JOIN bucket ON bucket.id = process_point.bucket
        JOIN gpu ON gpu.id = process_point.gpu JOIN process ON process.id = process_point.process
    WHERE bucket.tier = ? AND bucket.at_s BETWEEN ? AND ? AND gpu.uuid = ?
    GROUP BY process.id ORDER BY max(memory_most) DESC, process.pid LIMIT ?
"""


class Reader:
    """A recording that is there; it may be written while it is read.

    Raises:
        StoreError: there is none, it is damaged, or a newer dstop wrote it.
    """

    def __init__(self, path: str, tiers: Sequence[Tier] = TIERS) -> None:
        self._tiers = tiers
        self._file = connect_to_read(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def cards(self) -> tuple[PastCard, ...]:
        """Give the cards that were recorded, in the order in which the driver last had them."""
        rows = self._rows(
            "SELECT uuid, place, name, memory_total_bytes FROM gpu ORDER BY place, uuid LIMIT ?", ()
        )
        return tuple(
            PastCard(uuid=uuid, index=place, name=name, memory_total_bytes=total)
            for uuid, place, name, total in rows
        )

    def span(self) -> tuple[int, int] | None:
        """Give from when to when there is anything; None for an empty recording."""
        first, last = self._file.execute("SELECT min(at_s), max(at_s) FROM bucket").fetchone()
        return None if first is None else (first, last)

    def card(self, uuid: str, since_s: int, until_s: int) -> Past:
        """Give a card between two times, at the finest resolution that reaches back to the first."""
        number = self._tier(since_s)
        rows = self._rows(_GPU_POINTS, (number, since_s, until_s, uuid))
        points = tuple(
            PastPoint(
                at_s=at_s,
                memory_bytes=_mean(memory_count, memory_sum),
                memory_most_bytes=memory_most,
                busy_pct=_mean(busy_count, busy_sum),
                power_mw=_mean(power_count, power_sum),
                temperature_most_c=temperature,
            )
            for (
                at_s,
                *(memory_count, memory_sum, memory_most, busy_count, busy_sum, power_count, power_sum),
                temperature,
            ) in rows
        )
        return Past(step_s=self._tiers[number].step_s, points=points)

    def processes(self, uuid: str, since_s: int, until_s: int) -> tuple[PastProcess, ...]:
        """Give who was on a card between two times, the biggest first."""
        rows = self._rows(_PROCESSES, (self._tier(since_s), since_s, until_s, uuid))
        return tuple(
            PastProcess(
                pid=pid,
                started_at_s=None if started_ms < 0 else started_ms / 1000,
                command=command,
                user=user,
                job=job,
                rank=rank,
                first_s=first,
                last_s=last,
                memory_most_bytes=most,
                allocated_most_bytes=allocated,
                reserved_most_bytes=reserved,
            )
            for pid, started_ms, command, user, job, rank, first, last, most, allocated, reserved in rows
        )

    def events(self, since_s: int, until_s: int) -> tuple[Event, ...]:
        """Give what happened between two times, oldest first; kinds that this dstop does not know are left out."""
        kinds = set(EventKind)
        rows = self._rows(
            "SELECT at_ns, kind, text, gpu, pid FROM event WHERE at_ns BETWEEN ? AND ? ORDER BY at_ns, id LIMIT ?",
            (since_s * 10**9, (until_s + 1) * 10**9 - 1),
        )
        return tuple(
            Event(at_ns=at_ns, kind=EventKind(kind), text=text, gpu_index=gpu, pid=pid)
            for at_ns, kind, text, gpu, pid in rows
            if kind in kinds
        )

    def incidents(self, since_s: int, until_s: int) -> tuple[PastIncident, ...]:
        """Give the black boxes of a time, oldest first."""
        rows = self._rows(
            "SELECT path, at_ns, title, pid FROM incident WHERE at_ns BETWEEN ? AND ? ORDER BY at_ns, path LIMIT ?",
            (since_s * 10**9, (until_s + 1) * 10**9 - 1),
        )
        return tuple(
            PastIncident(path=path, at_ns=at_ns, title=title, pid=pid) for path, at_ns, title, pid in rows
        )

    def _tier(self, since_s: int) -> int:
        """Choose the finest resolution that reaches back to a time; where none does, the one that goes furthest."""
        oldest = dict(self._file.execute("SELECT tier, min(at_s) FROM bucket GROUP BY tier").fetchall())
        for number in sorted(oldest):
            # A coarser bucket begins before what is in it does: it reaches further back when a whole one is before.
            further = any(
                oldest[other] + self._tiers[other].step_s <= oldest[number]
                for other in range(number + 1, len(self._tiers))
                if other in oldest
            )
            if oldest[number] <= since_s or not further:
                return int(number)
        return 0

    def _rows(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        with closing(self._file.execute(statement, (*values, _MOST_ROWS))) as cursor:
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows


def _mean(count: int, total: float) -> float | None:
    return total / count if count else None

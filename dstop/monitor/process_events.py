"""Processes that started and ended between two samples; a job of 64 ranks is one line."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.event import Event, EventKind
from dstop.model.value import Value
from dstop.monitor.health import answering
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dstop.model.process import GpuProcess, ProcessFacts, ProcessKey
    from dstop.model.sample import Sample

    _Rows = Mapping[ProcessKey, GpuProcess]

ONE_BY_ONE = 8
"""More processes of one job than this become one line: eight ranks can still be read."""

_NAME_CELLS = 48


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Change(Value):
    """One process on all its GPUs."""

    rows: tuple[GpuProcess, ...]

    @property
    def facts(self) -> ProcessFacts:
        return self.rows[0].facts


def process_events(before: Sample, after: Sample) -> list[Event]:
    """Give the starts and ends, on GPUs that answered both times: a lost card's processes have not ended.

    A row whose start time was unknown in one of the samples is the same process when GPU and PID agree.
    """
    sure = answering(before).keys() & answering(after).keys()
    old = {row.key: row for row in before.processes if row.gpu_index in sure}
    new = {row.key: row for row in after.processes if row.gpu_index in sure}
    now = after.taken_at_ns
    return [
        *_told(_missing_from(new, old), EventKind.PROCESS_ENDED, now),
        *_told(_missing_from(old, new), EventKind.PROCESS_STARTED, now),
    ]


def _missing_from(others: _Rows, rows: _Rows) -> list[_Change]:
    missing = rows.keys() - others.keys()
    if not missing:
        return []
    unsure = {(key.gpu_index, key.pid) for key in others if key.started_at_s is None}
    same_pid = {(key.gpu_index, key.pid) for key in others}
    changed: defaultdict[tuple[int, float | None], list[GpuProcess]] = defaultdict(list)
    for key in rows:  # not over `missing`: a set has no order, and the log should have one
        place = (key.gpu_index, key.pid)
        the_same = place in unsure or (key.started_at_s is None and place in same_pid)
        if key in missing and not the_same:
            changed[key.pid, key.started_at_s].append(rows[key])
    return [_Change(tuple(group)) for group in changed.values()]


def _told(changes: Sequence[_Change], kind: EventKind, now: int) -> Iterable[Event]:
    jobs: defaultdict[tuple[str | None, ...], list[_Change]] = defaultdict(list)
    for change in changes:
        facts = change.facts
        jobs[(facts.job,) if facts.job else (facts.user, facts.command)].append(change)
    for job in jobs.values():
        if len(job) > ONE_BY_ONE:
            yield _together(job, kind, now)
        else:
            yield from (_alone(change, kind, now) for change in job)


def _alone(change: _Change, kind: EventKind, now: int) -> Event:
    facts = change.facts
    indices = sorted({row.gpu_index for row in change.rows})
    text = f"{process_name(facts)} ({facts.pid}{_owner(facts)}) {_verb(kind)} on {_gpus(indices)}"
    if kind is EventKind.PROCESS_ENDED:
        text += _held(change.rows)
    only = indices[0] if len(indices) == 1 else None
    return Event(at_ns=now, kind=kind, text=text, gpu_index=only, pid=facts.pid)


def _together(job: Sequence[_Change], kind: EventKind, now: int) -> Event:
    facts = job[0].facts
    rows = [row for change in job for row in change.rows]
    indices = sorted({row.gpu_index for row in rows})
    text = f"{len(job)} x {process_name(facts)}{_owner(facts)} {_verb(kind)} on {_gpus(indices)}"
    if kind is EventKind.PROCESS_ENDED:
        text += _held(rows)
    return Event(at_ns=now, kind=kind, text=text, gpu_index=indices[0] if len(indices) == 1 else None)


def _verb(kind: EventKind) -> str:
    return "ended" if kind is EventKind.PROCESS_ENDED else "started"


def process_name(facts: ProcessFacts) -> str:
    """Give its name, printable and short: a process chooses it, so it may hold anything."""
    name = "".join(char if char.isprintable() else "?" for char in (facts.command or "process")[:_NAME_CELLS])
    return name or "process"


def _owner(facts: ProcessFacts) -> str:
    return f", {facts.user}" if facts.user else ""


def _held(rows: Iterable[GpuProcess]) -> str:
    known = [row.gpu_memory_bytes for row in rows if row.gpu_memory_bytes is not None]
    return f", it held {bytes_text(sum(known))}" if known else ""


def _gpus(indices: Sequence[int]) -> str:
    """Write `GPU 3`, or `GPUs 0-3 6`: runs are joined, so that sixteen cards fit."""
    if len(indices) == 1:
        return f"GPU {indices[0]}"
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return "GPUs " + " ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)

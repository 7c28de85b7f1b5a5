"""From what was named on the command line, or found nearby, to a report."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.doctor.case import Case
from dstop.doctor.diagnose import diagnose
from dstop.doctor.evidence.collect import Found, facts_of
from dstop.doctor.plugged import answers_of, plugged, with_evidence
from dstop.doctor.questions.memories import disagreeing
from dstop.doctor.sources.incidents import case_of_incidents, differing_settings, notes_of
from dstop.doctor.sources.snapshots import FOUND, found_of, snapshot_of
from dstop.pytorch.incident.place import is_incident_name
from dstop.pytorch.incident.read import read_incident

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from dstop.doctor.evidence.memory import Memory
    from dstop.doctor.sources.nearby import Nearby
    from dstop.doctor.sources.snapshots import Bounds
    from dstop.doctor.text.values import LogText
    from dstop.model.diagnosis import Report
    from dstop.pytorch.incident.values import Incident
    from dstop.sources import Source


def report_of(
    logs: Sequence[LogText],
    incidents: Sequence[Incident] = (),
    environment: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
    cards: Callable[[], Source] | None = None,
    *,
    memories: Sequence[Memory] = (),
    bounds: Bounds = FOUND,
) -> Report:
    """Diagnose logs, incidents and snapshots together: incidents first, whose figures are exact.

    Args:
        logs: of one job.
        incidents: that it left.
        environment: of its process, where it is known.
        notes: for the report.
        cards: gives the cards as they are now.
        memories: of the snapshots that were named.
        bounds: for the snapshots of the incidents.
    """
    told = [*notes, *differing_settings(incidents), *notes_of(incidents)]
    case = case_of_incidents(incidents, lambda incident: snapshot_of(incident, bounds, told))
    found: list[Found] = list(case.found)
    order = sum(one.lines + 2 for one in found)
    extra = plugged()
    told += extra.notices
    for log in logs:
        found.append(with_evidence(facts_of(log, order), log, order, extra.readers, told))
        order += len(log.lines) + 1
        told += [f"{log.name}: {note}" for note in log.notes]
    for memory in memories:
        found.append(found_of(memory, order, others=found))
        order += 2
    if cards is not None:
        from dstop.doctor.sources.live import cards_now  # noqa: PLC0415 - a log of elsewhere needs no driver

        now = cards_now(cards, order)
        found += [] if now is None else [now]
    case = Case(found, environment or case.environment)
    more = answers_of(case, extra.rules, told)
    report = diagnose(case, notes=[*told, *disagreeing(found, case.failure)], more=more)
    return report if report.diagnoses else replace(report, notes=(*report.notes, *map(_well, memories)))


def _well(memory: Memory) -> str:
    return f"{memory.source} has no failure, and nothing in it is wrong by itself: dstop snapshot shows what is in it"


def incident_at(path: Path) -> Incident | None:
    """Read an incident when that is what the path names; None when it is something else."""
    if is_incident_name(path.name) and path.is_dir():
        return read_incident(path)
    if path.name == "incident.json" and is_incident_name(path.absolute().parent.name):
        return read_incident(path.absolute().parent)
    return None


def report_of_nearby(
    found: Nearby, since_s: float, *, kernel: bool, cards: Callable[[], Source] | None = None
) -> Report:
    """Diagnose what was found nearby, with the cards as they are now."""
    from dstop.doctor.text.read import read_log  # noqa: PLC0415 - only where there is a log
    from dstop.errors import DstopError  # noqa: PLC0415 - as above

    logs: list[LogText] = []
    notes: list[str] = []
    if kernel and not any(one.exit is not None for one in found.incidents):
        from dstop.doctor.sources.kernel import kernel_log  # noqa: PLC0415 - as above

        logs.append(kernel_log(_window(found, since_s)))
    for path in found.logs:
        try:
            logs.append(read_log(path))
        except DstopError as error:
            notes.append(str(error))
    if found.older:
        notes.append(f"{found.older} more incidents of other jobs are there: name one to explain it")
    return report_of(logs, found.incidents, notes=notes, cards=cards)


def _window(found: Nearby, since_s: float) -> float:
    """Give how far back the kernel's log matters: with an incident, a quarter of an hour before it."""
    first = min((one.at_ns for one in found.incidents if one.at_ns is not None), default=None)
    return since_s if first is None else min(since_s, time.time() - first / 1e9 + 900)

"""From a case to a report: every rule is asked, and the answers are put in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.case import Case
from dstop.doctor.evidence.collect import facts_of
from dstop.doctor.rank import ranked
from dstop.doctor.rules import RULES
from dstop.model.diagnosis import Diagnosis, Report

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dstop.doctor.rule import Assessment, Rule
    from dstop.doctor.text.values import LogText

MOST_DIAGNOSES = 5


def diagnose_logs(logs: Iterable[LogText], environment: Mapping[str, str] | None = None) -> Report:
    """Read logs, and say what happened."""
    found = []
    notes: list[str] = []
    order = 0
    for log in logs:
        found.append(facts_of(log, order))
        order += len(log.lines) + 1
        notes += [f"{log.name}: {note}" for note in log.notes]
    return diagnose(Case(found, environment), notes=notes)


def diagnose(
    case: Case,
    rules: Sequence[Rule] | None = None,
    notes: Iterable[str] = (),
    more: Iterable[tuple[Rule, Assessment]] = (),
) -> Report:
    """Ask every rule, and give what they say, best first; `more` has what others have said already."""
    answers = [
        (rule, answer)
        for rule in (RULES if rules is None else rules)
        if rule.examine is not None and (answer := rule.examine(case)) is not None
    ]
    answers += more
    diagnoses = [_diagnosis(case, rule, answer) for rule, answer in ranked(answers)[:MOST_DIAGNOSES]]
    return Report(
        diagnoses=tuple(diagnoses),
        facts=_figures(case),
        sources=tuple(one.source for one in case.found),
        notes=tuple(notes),
    )


def _diagnosis(case: Case, rule: Rule, answer: Assessment) -> Diagnosis:
    failure = case.failure
    return Diagnosis(
        rule=rule.id,
        cause=rule.cause,
        subcause=answer.subcause,
        title=answer.title or rule.title,
        confidence=answer.confidence,
        evidence=tuple(dict.fromkeys(answer.evidence)),
        against=answer.against,
        balance=case.balance
        if case.balance.total_bytes and case.balance.allocated_bytes is not None
        else None,
        fixes=answer.fixes,
        rank=case.first_failing_rank,
        device=None if failure is None else failure.device,
        phase=None if case.phase == "unknown" else case.phase,
    )


def _figures(case: Case) -> dict[str, int | float | str | None]:
    failure = case.failure
    figures: dict[str, int | float | str | None] = {
        "framework": None if case.framework == "unknown" else case.framework,
        "phase": None if case.phase == "unknown" else case.phase,
        "rank": case.first_failing_rank,
    }
    names = (
        "tried",
        "total",
        "free",
        "allowed",
        "allocated",
        "private_pool",
        "reserved",
        "reserved_unallocated",
        "process",
    )
    for name in names:
        figures[f"{name}_bytes"] = None if failure is None else getattr(failure, f"{name}_bytes")
    host = case.host_failures[0] if case.host_failures else None
    if failure is None and host is not None:
        figures["tried_bytes"] = host.tried_bytes
    figures["device"] = None if failure is None else failure.device
    figures["other_processes_bytes"] = (
        None if failure is None or not failure.others else sum(size for _, size in failure.others)
    )
    return figures

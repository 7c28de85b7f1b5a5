"""What a rule of the doctor promises, for whoever writes one."""

from __future__ import annotations

import re
from inspect import signature
from typing import TYPE_CHECKING

from dstop.doctor.case import Case
from dstop.doctor.diagnose import diagnose
from dstop.doctor.evidence.collect import facts_of
from dstop.doctor.plugged import reader, with_evidence
from dstop.doctor.rule import FAMILIES
from dstop.doctor.rules import RULES
from dstop.doctor.text.read import log_of_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dstop.doctor.evidence.facts import Figure
    from dstop.doctor.rule import Rule
    from dstop.model.diagnosis import Report

    Evidence = Callable[..., Iterable[tuple[int, str, Mapping[str, Figure]]]]

SECTIONS = ("What it means", "Evidence", "Fix", "When it is wrong")


def check_rule(rule: Rule, evidence: Evidence | None = None) -> None:
    """Hold a rule against its own page and examples, among all others.

    Args:
        rule: a rule of ours, or of a plugin.
        evidence: the plugin's hook of that name, where the rule asks for what it finds.

    Raises:
        AssertionError: when the page lacks a section, an example does not put the rule first, or a near miss calls it.
    """
    if not (re.fullmatch(r"[A-Z]{2}[1-9]\d\d", rule.id) and rule.id[2] in FAMILIES):
        raise AssertionError(f"{rule.id!r} is no number of a rule")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.name):
        raise AssertionError(f"{rule.name!r} is no name of a rule")
    missing = [section for section in SECTIONS if f"\n{section}\n" not in rule.page]
    if missing:
        raise AssertionError(f"the page of {rule.id} has no section {missing[0]!r}")
    if rule.examine is None or rule.is_of_snapshots:
        return
    if not rule.fires or not rule.near_miss:
        raise AssertionError(f"{rule.id} has no example that fires, or no near miss")
    for log in rule.fires:
        _check_first(rule, _diagnosed(rule, log, evidence), log)
    for log in rule.near_miss:
        if rule.id in {one.rule for one in _diagnosed(rule, log, evidence).diagnoses}:
            raise AssertionError(f"{rule.id} fires on its near miss:\n{log}")


def _check_first(rule: Rule, report: Report, log: str) -> None:
    said = [one.rule for one in report.diagnoses]
    if said[:1] != [rule.id]:
        raise AssertionError(f"{rule.id} is not first, but {said}:\n{log}")
    first = report.diagnoses[0]
    if not first.evidence or not all(item.source and item.says for item in first.evidence):
        raise AssertionError(f"{rule.id} gives no evidence with a place:\n{log}")


def _diagnosed(rule: Rule, text: str, evidence: Evidence | None) -> Report:
    rules = RULES if rule in RULES else (*RULES, rule)
    log = log_of_text(text, "example.log")
    found, notes = facts_of(log), list[str]()
    if evidence is not None:
        asked = reader(evidence, tuple(signature(evidence).parameters))
        found = with_evidence(found, log, 0, [("the plugin", asked)], notes)
    if notes:
        raise AssertionError(notes[0])
    return diagnose(Case([found]), rules)

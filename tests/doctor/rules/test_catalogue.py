"""Every rule, by its own page and its own examples."""

from __future__ import annotations

import re

import pytest

from dstop.doctor.diagnose import diagnose_logs
from dstop.doctor.fixes.catalog import CATALOG
from dstop.doctor.rule import FAMILIES
from dstop.doctor.rules import RULES, rule_of
from dstop.doctor.text.read import log_of_text

SECTIONS = ("What it means", "Evidence", "Fix", "When it is wrong")


def test_numbers_and_names_are_taken_once():
    """Neither two rules of one number nor two of one name."""
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_page_is_whole(rule):
    """A title, and the four questions that every page answers."""
    assert re.fullmatch(r"DS[1-9]\d\d", rule.id)
    assert rule.id[2] in FAMILIES
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.name)
    assert rule.page.strip()
    for section in SECTIONS:
        assert f"\n{section}\n" in rule.page
    assert rule_of(rule.id.lower()) is rule
    assert rule_of(rule.name) is rule


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.examine], ids=lambda rule: rule.id)
def test_it_fires_on_its_examples_and_not_on_the_near_misses(rule):
    """Its examples put it first, with evidence that has a place and fixes that exist; what looks alike does not call it."""
    assert rule.fires
    assert rule.near_miss
    for log in rule.fires:
        report = diagnose_logs([log_of_text(log, "example.log")])
        assert report.diagnoses, log
        first = report.diagnoses[0]
        assert first.rule == rule.id, [one.rule for one in report.diagnoses]
        assert first.evidence
        assert all(one.source and one.says for one in first.evidence)
        assert {fix.id for fix in first.fixes} <= set(CATALOG)
    for log in rule.near_miss:
        report = diagnose_logs([log_of_text(log, "near-miss.log")])
        assert rule.id not in {one.rule for one in report.diagnoses}, log

"""Every rule, by its own page and its own examples; and that the check itself can fail."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dstop.doctor.diagnose import diagnose_logs
from dstop.doctor.fixes.catalog import CATALOG
from dstop.doctor.rules import RULES, rule_of
from dstop.doctor.text.read import log_of_text
from dstop.testing import check_rule

CLEAN = "step 1 loss 2.0\nstep 2 loss 1.9\n"
SOME = next(rule for rule in RULES if rule.id == "DS201")


def test_numbers_and_names_are_taken_once():
    """Neither two rules of one number nor two of one name."""
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule_of(rule.id.lower()) is rule and rule_of(rule.name) is rule for rule in RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_keeps_its_promises(rule):
    """Its page answers four questions, its examples put it first with evidence, what looks alike does not call it."""
    check_rule(rule)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_prescribes_what_exists(rule):
    """Every fix that an example gets is in the catalogue."""
    for log in rule.fires:
        first = diagnose_logs([log_of_text(log, "example.log")]).diagnoses[0]
        assert {fix.id for fix in first.fixes} <= set(CATALOG)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.examine], ids=lambda rule: rule.id)
def test_a_rule_is_silent_on_a_clean_log(rule):
    """A run that is well is told nothing."""
    assert rule.id not in {one.rule for one in diagnose_logs([log_of_text(CLEAN)]).diagnoses}


@pytest.mark.parametrize(
    "broken",
    [
        replace(SOME, id="X1"),
        replace(SOME, name="Not A Name"),
        replace(SOME, page="A title"),
        replace(SOME, fires=()),
        replace(SOME, near_miss=()),
        replace(SOME, fires=(CLEAN,)),
        replace(SOME, near_miss=SOME.fires),
    ],
)
def test_the_check_finds_what_is_broken(broken):
    """A wrong number or name, a page without sections, examples that do not do what they say."""
    with pytest.raises(AssertionError):
        check_rule(broken)

"""Labelled crash logs from public threads: the right cause first, an accepted fix among the first three.

The logs of `corpus/` were rebuilt from facts read in public threads, with the message formats of the programs; they are no
quotations. Each file was scored once before anything was learned from it: `benchmarks/README.md` has the figures of that
first contact, which is what a log that nobody has seen may expect.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "corpora" / "oom"
OURS = sorted((Path(__file__).parent / "corpus").glob("*.json"))
LEAST = 0.95


def _accuracy():
    spec = importlib.util.spec_from_file_location(
        "doctor_accuracy", ROOT / "benchmarks" / "doctor_accuracy.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("place", [*OURS, SHARED], ids=lambda path: path.stem)
def test_the_cause_and_a_fix_are_right_where_the_log_carries_them(place):
    """At least 95 % of the logs whose text alone supports the cause, and 95 % of their fixes."""
    if not place.exists():
        pytest.skip("the shared corpus does not lie beside this checkout")
    outcomes = [one for one in _accuracy().outcomes_of(place) if one.evidence == "sufficient"]
    wrong = [(one.id, one.wanted, one.got, one.rule) for one in outcomes if not one.is_cause_right]
    useless = [(one.id, one.rule, one.fixes) for one in outcomes if not one.is_fix_right]
    assert len(wrong) <= (1 - LEAST) * len(outcomes), wrong
    assert len(useless) <= (1 - LEAST) * len(outcomes), useless


@pytest.mark.parametrize("place", [*OURS, SHARED], ids=lambda path: path.stem)
def test_what_is_not_memory_is_not_called_so(place):
    """No memory diagnosis where the log itself says what it was."""
    if not place.exists():
        pytest.skip("the shared corpus does not lie beside this checkout")
    outcomes = [one for one in _accuracy().outcomes_of(place) if one.evidence == "sufficient"]
    assert [(one.id, one.rule) for one in outcomes if one.is_false_alarm] == []

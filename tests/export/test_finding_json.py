"""Findings for other programs."""

from __future__ import annotations

import json
from math import nan

from dstop.export.json import sample_line, sample_object
from dstop.model.diagnosis import Evidence, Fix
from dstop.model.finding import Finding, Severity
from dstop.testing.build import make_sample

FINDING = Finding(
    rule="DS301",
    cause="leak",
    severity=Severity.CRITICAL,
    badge="LEAK 4m",
    says="train.py (4000) grows",
    gpu_index=0,
    pid=4000,
    started_at_s=1.0,
    evidence=(Evidence(source="process 4000", says="rose by 5.9G", value=6_000_000_000),),
    fixes=(Fix(id="fix_leak_detach", title="Detach", command="total += loss.item()", cost="a line"),),
)


def test_a_finding_has_the_keys_of_the_contract():
    """Rule, cause, severity, sentence, place, badge, evidence and fixes, all plain."""
    (given,) = json.loads(sample_line(make_sample(1, 1), findings=(FINDING,)))["findings"]
    assert given == {
        "rule": "DS301",
        "cause": "leak",
        "severity": "critical",
        "says": "train.py (4000) grows",
        "gpu_index": 0,
        "pid": 4000,
        "badge": "LEAK 4m",
        "evidence": [{"source": "process 4000", "says": "rose by 5.9G", "value": 6_000_000_000}],
        "fixes": [
            {
                "id": "fix_leak_detach",
                "title": "Detach",
                "command": "total += loss.item()",
                "recovers_bytes": None,
                "short_bytes": None,
                "cost": "a line",
            }
        ],
    }


def test_without_a_finding_the_list_is_empty():
    """A machine that is well has the key all the same."""
    assert sample_object(make_sample(1, 1))["findings"] == []


def test_a_finding_of_the_whole_machine_is_of_no_card_and_no_process():
    """Null says so; a figure that is none, and text that is no Unicode, do not break a reader."""
    odd = Finding(
        rule="DS750",
        cause="host_ram_oom",
        severity=Severity.NOTE,
        badge="RAM",
        says="\udcff",
        evidence=(Evidence(source="host", says="?", value=nan),),
    )
    (given,) = json.loads(sample_line(make_sample(1, 1), findings=(odd,)))["findings"]
    assert (given["gpu_index"], given["pid"], given["evidence"][0]["value"], given["says"]) == (
        None,
        None,
        None,
        "?",
    )

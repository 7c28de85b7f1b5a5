"""Whatever a log holds, the doctor answers: with a report, in bounded size, and never with a traceback."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dstop.doctor.diagnose import MOST_DIAGNOSES, diagnose_logs
from dstop.doctor.evidence.messages import TABLES
from dstop.doctor.evidence.messages.alloc import ALLOCATIONS
from dstop.doctor.evidence.messages.host_alloc import HOST_ALLOCATIONS
from dstop.doctor.evidence.pattern import MOST_MATCHES
from dstop.doctor.rules import RULES
from dstop.doctor.text.read import log_of_text
from dstop.draw.doctor_text import report_lines
from dstop.export.doctor_json import report_line

PATTERNS = [*(pattern for table in TABLES for pattern in table), *ALLOCATIONS, *HOST_ALLOCATIONS]
NEEDLES = sorted({pattern.needle for pattern in PATTERNS})
EXAMPLES = [line for rule in RULES for text in (*rule.fires, *rule.near_miss) for line in text.splitlines()]
GLUE = st.sampled_from(
    [
        "\n",
        " ",
        "",
        "\r",
        "[rank3]: ",
        "(EngineCore pid=1) ",
        "\x1b[31m",
        '  File "/a.py", line 1, in f\n',
        "9" * 30,
        ": ",
        "\0",
    ]
)
LOGS = st.lists(
    st.one_of(st.sampled_from(NEEDLES), st.sampled_from(EXAMPLES), GLUE, st.text(max_size=20)), max_size=30
).map("".join)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(LOGS)
def test_any_mixture_of_messages_gives_a_report(text):
    """Halves of messages, in any order, by any rank: a report that JSON and the screen can hold."""
    report = diagnose_logs([log_of_text(text, "fuzz.log")])
    assert len(report.diagnoses) <= MOST_DIAGNOSES
    again = json.loads(report_line(report))
    assert len(again["diagnoses"]) == len(report.diagnoses)
    assert report_lines(report, 80)
    for one in report.diagnoses:
        for fix in one.fixes:
            assert (fix.recovers_bytes or 0) >= 0
            assert (fix.short_bytes or 0) >= 0


@given(st.lists(st.sampled_from(EXAMPLES), min_size=1, max_size=12), st.integers(0, 12))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_a_cut_log_is_still_a_log(lines, cut):
    """A log that ends or begins in the middle of a line is read as far as it goes."""
    text = "\n".join(lines)
    for part in (text[cut:], text[: len(text) - cut], text[len(text) // 2 :]):
        diagnose_logs([log_of_text(part)])


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: f"{pattern.kind}-{pattern.needle[:20]!r}")
def test_a_pattern_has_its_needle_and_is_bounded(pattern):
    """A flood of its own words is cut off, and no text without its needle is searched at all."""
    assert pattern.needle
    assert list(pattern.find("nothing of the kind")) == []
    flood = f"{pattern.needle} 1.00 GiB (pid 4100): {pattern.needle}\n" * 300
    assert sum(1 for _ in pattern.find(flood)) <= MOST_MATCHES


def test_numbers_beyond_any_machine_are_dropped():
    """Neither a float that overflows, nor 2^64, nor a thousand digits becomes a figure."""
    for size in ("9" * 400 + ".00 GiB", "17179869184.00 GiB", "1e400 GiB", "-5.00 GiB", "0 bytes"):
        text = f"CUDA out of memory. Tried to allocate {size}. GPU 0 has a total capacity of {size} of which {size} is free."
        report = diagnose_logs([log_of_text(text)])
        assert all(not isinstance(value, int) or 0 <= value < 2**54 for value in report.facts.values())

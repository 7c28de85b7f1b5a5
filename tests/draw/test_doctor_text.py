"""A report as lines: nothing is cut that proves something, and no line is wider than the screen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.doctor.rules import RULES
from dstop.draw.balance_bar import amount_text, balance_bar, balance_legend
from dstop.draw.doctor_text import diagnosis_lines, report_lines
from dstop.draw.line import cells, line_cells, plain
from dstop.draw.rule_page import catalogue_lines, catalogue_markdown, page_lines
from dstop.model.diagnosis import Balance, Confidence, Diagnosis, Evidence, Fix, Report
from dstop.units import GIB, MIB

BALANCE = Balance(
    total_bytes=80 * GIB,
    allocated_bytes=40 * GIB,
    private_pool_bytes=5 * GIB,
    cached_bytes=10 * GIB,
    not_pytorch_bytes=2 * GIB,
    others_bytes=15 * GIB,
    unattributed_bytes=3 * GIB,
    free_bytes=5 * GIB,
    tried_bytes=7 * GIB,
)


def made(**changes):
    """Make a diagnosis with everything in it."""
    given = {
        "rule": "DS201",
        "cause": "fragmentation",
        "subcause": "zombie_process",
        "title": "PyTorch's cache holds enough, but not in one usable piece",
        "confidence": Confidence.LIKELY,
        "evidence": tuple(
            Evidence(source=f"crash.log:{line}", says=f"finding {line}", value=line) for line in range(9)
        ),
        "against": ("expandable_segments will not help",),
        "balance": BALANCE,
        "fixes": (
            Fix(
                id="a",
                title="Do this",
                command="export A=1",
                recovers_bytes=3 * GIB,
                short_bytes=2 * GIB,
                cost="speed",
            ),
            Fix(id="b", title="Do that"),
        ),
        "rank": 3,
        "device": 1,
        "phase": "backward",
    }
    return Diagnosis(**(given | changes))


def test_a_diagnosis_has_it_all():
    """Cause, place, proof, figures, fixes and what speaks against."""
    text = "\n".join(plain(line) for line in diagnosis_lines(made(), 100))
    for words in (
        "likely",
        "DS201 fragmentation (zombie_process); backward, rank 3 failed first, cuda:1",
        "crash.log:0: finding 0",
        "and 3 more (--json has them all)",
        "40.00 GiB live tensors",
        "15.00 GiB other processes",
        "✗ expandable_segments will not help",
        "1. Do this: recovers 3.00 GiB of the 2.00 GiB short",
        "export A=1",
        "costs: speed",
        "2. Do that",
    ):
        assert words in text


@given(
    width=st.integers(1, 300),
    title=st.text(max_size=200),
    says=st.text(max_size=400),
    source=st.text(max_size=60),
)
def test_no_line_is_wider_than_asked(width, title, says, source):
    """Hostile words are wrapped and cleaned; only commands, which are to be pasted whole, may be wider."""
    one = made(title=title, evidence=(Evidence(source=source, says=says),), fixes=())
    for line in diagnosis_lines(one, width):
        assert line_cells(line) <= max(40, min(width, 120)) * 2  # wide letters are counted as one by textwrap
        assert "\n" not in plain(line)
        assert "\x1b" not in plain(line)


def test_the_bar_has_the_parts_in_their_shares():
    """Half the card in live tensors is half the bar."""
    bar = plain(balance_bar(BALANCE, 80))
    assert cells(bar) == 80
    assert bar.count("▇") == 40
    assert bar.count("─") == 5
    assert balance_bar(Balance(), 80) == ()


def test_the_legend_breaks_where_it_must():
    """Each part has its figure, on as many lines as it needs."""
    lines = balance_legend(BALANCE, 40)
    assert len(lines) > 2
    assert all(line_cells(line) <= 40 for line in lines)


@pytest.mark.parametrize(
    ("count", "text"), [(None, "–"), (512, "512B"), (20 * MIB, "20 MiB"), (3 * GIB // 2, "1.50 GiB")]
)
def test_amounts_have_the_digits_of_messages(count, text):
    """Two digits from GiB on, as PyTorch prints them."""
    assert amount_text(count) == text


def test_others_are_a_line_each_or_whole():
    """The best is drawn whole; all are on demand."""
    report = Report(
        diagnoses=(made(), made(rule="DS101", title="Something else")), facts={}, sources=("crash.log",)
    )
    brief = "\n".join(plain(line) for line in report_lines(report, 100))
    assert "If not that:" in brief
    assert "Something else (likely, dstop explain DS101)" in brief
    whole = "\n".join(plain(line) for line in report_lines(report, 100, every=True))
    assert whole.count("40.00 GiB live tensors") == 2


def test_nothing_found_says_what_was_read():
    """No silence."""
    lines = report_lines(Report(facts={}, sources=("a.log",), notes=("b.log was empty",)), 80)
    text = "\n".join(plain(line) for line in lines)
    assert "a.log" in text
    assert "b.log was empty" in text


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_page_is_drawn_in_any_width(rule):
    """Headings, wrapped text, and no line wider than the screen."""
    for width in (40, 80, 200):
        lines = page_lines(rule, width)
        assert all(line_cells(line) <= max(width, 100) for line in lines)
        assert "What it means" in [plain(line) for line in lines]


def test_the_catalogue_in_two_forms():
    """A line a rule on the terminal, a row a rule in Markdown."""
    assert sum(rule.id in plain(line) for line in catalogue_lines(RULES, 100) for rule in RULES) >= len(RULES)
    assert catalogue_markdown(RULES).count("\n") == len(RULES) + 1

"""Findings as badges, as lines, and close up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.draw.badges import badges
from dstop.draw.finding_lines import finding_detail_lines, finding_lines, finding_summary
from dstop.draw.line import line_cells, plain
from dstop.draw.look import Look
from dstop.draw.once import once_lines
from dstop.draw.overview import OverviewState, overview
from dstop.model.diagnosis import Evidence, Fix
from dstop.model.finding import Finding, Severity
from dstop.testing.build import TAKEN_AT_S, make_frame, make_gpu, make_sample
from dstop.view.arrange import View, arrange

TEXTS = st.text(max_size=200)


def make_finding(**values):
    """Give a leak."""
    base = {
        "rule": "DS301",
        "cause": "leak",
        "severity": Severity.CRITICAL,
        "badge": "LEAK 4m",
        "says": "train.py (4000) grows by 2.9G a minute, steadily for 2:00: GPU 0 is full in 4 min",
        "gpu_index": 0,
        "pid": 4000,
        "started_at_s": float(TAKEN_AT_S - 3600),
        "evidence": (Evidence(source="process 4000", says="rose by 5.9G"),),
        "fixes": (
            Fix(id="reduce_batch", title="Smaller batch", cost="smaller steps"),
            Fix(id="fix_leak_detach", title="Detach", command="total_loss += loss.item()"),
        ),
    }
    return Finding(**{**base, **values})


NOTE = make_finding(rule="DS451", severity=Severity.NOTE, badge="UNUSED", pid=None)


def test_badges_of_findings_stand_among_those_of_the_card():
    """The gravest first; what the card's own badges say is not said twice."""
    gpu = make_gpu(throttle_reasons=("power_cap",))
    xid = make_finding(rule="DS852", badge="XID 79")
    words = [word for word, _ in badges(gpu, [NOTE, make_finding(), xid])]
    assert words == ["LEAK 4m", "PWR CAP", "UNUSED"]
    assert badges(make_gpu(fault="GPU is lost"), [make_finding()]) == (("LOST", "badge.bad"),)


def _drawn(width, frame):
    rows = arrange(frame.sample, View())
    return [
        plain(line)
        for line in overview(frame, rows, OverviewState(), width=width, height=30, look=Look()).lines
    ]


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_finding_is_on_the_line_of_its_card_and_on_the_row_of_its_process(width):
    """And on no other."""
    frame = make_frame(make_sample(2, 2), findings=(make_finding(),))
    marked = [line for line in _drawn(width, frame) if "LEAK 4m" in line]
    assert len(marked) == 2
    assert "4000" in marked[1]
    assert all(line_cells(((line, ""),)) == width for line in marked)


def test_a_narrow_row_keeps_its_command():
    """Whose row it is matters more than a badge."""
    frame = make_frame(make_sample(1, 1), findings=(make_finding(),))
    row = next(line for line in _drawn(46, frame) if " 4000 " in line)
    assert "train.py" in row
    assert "LEAK" not in row


def test_another_process_of_the_same_number_has_no_badge():
    """A PID is not enough."""
    frame = make_frame(make_sample(1, 1), findings=(make_finding(started_at_s=1.0),))
    assert len([line for line in _drawn(120, frame) if "LEAK 4m" in line]) == 1


def test_a_one_shot_has_the_whole_sentences_under_its_cards():
    """Between the cards and the processes, not cut: a pipe has no edge."""
    frame = make_frame(make_sample(1, 1), findings=(make_finding(), NOTE))
    lines = [plain(line).rstrip() for line in once_lines(frame, 80)]
    place = next(index for index, line in enumerate(lines) if "LEAK 4m" in line and "DS301" in line)
    assert lines[place].endswith("GPU 0 is full in 4 min")
    assert "UNUSED" in lines[place + 1]
    assert next(index for index, line in enumerate(lines) if "COMMAND" in line) > place
    assert "DS" not in "\n".join(plain(line) for line in once_lines(make_frame(make_sample(1, 1)), 80))


def test_close_up_has_proof_fixes_and_costs():
    """Everything that is known, wrapped."""
    text = "\n".join(plain(line).rstrip() for line in finding_detail_lines(make_finding(), 60))
    assert "process 4000: rose by 5.9G" in text
    assert (
        "  1. Smaller batch\n     costs: smaller steps\n  2. Detach\n     total_loss += loss.item()" in text
    )
    assert "\n GPU 0 is full in 4 min" in text or "full in 4 min" in text


@given(TEXTS, TEXTS, TEXTS, st.integers(20, 250))
def test_whatever_a_process_is_called_lines_are_as_wide_as_they_should_be(says, source, command, width):
    """No text moves the cursor or sticks out."""
    finding = make_finding(
        says=says,
        evidence=(Evidence(source=source, says=says),),
        fixes=(Fix(id="x", title=source, command=command, cost=says),),
    )
    lines = [
        *finding_lines([finding], width),
        *finding_summary(finding, width),
        *finding_detail_lines(finding, width),
    ]
    for line in lines:
        assert line_cells(line) == width
        assert not set(plain(line)) & {chr(code) for code in (*range(32), 127, 0x202E)}

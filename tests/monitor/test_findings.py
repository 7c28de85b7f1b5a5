"""Live rules over a running monitor: told when they last, and never in its way."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.doctor.live import WATCHES, Watch, load
from dstop.doctor.live.scene import Scene
from dstop.doctor.rules import rule_of
from dstop.model.event import EventKind
from dstop.model.finding import Finding, Severity
from dstop.monitor import Monitor
from dstop.monitor.findings import MOST_FINDINGS, Examiner
from dstop.sources.demo import DemoSource
from dstop.sources.demo.guests import DemoGuests
from dstop.sources.demo.story import LOOP_S


def _finding(rule="DS1", gpu=0, pid=None, severity=Severity.WARNING):
    return Finding(
        rule=rule,
        cause="leak",
        severity=severity,
        badge="X",
        says="it is so",
        gpu_index=gpu,
        pid=pid,
        started_at_s=1.0,
    )


class Stagehand:
    """An examiner with one rule, that says what the test wants."""

    def __init__(self, build, **watch):
        self.build, self.says, self.asked = build, [], 0
        self.examiner = Examiner((Watch("DS1", "none", **watch),), lambda _: self._look)

    def _look(self, _):
        self.asked += 1
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    def at(self, second, says, rows=()):
        """Give the badges that stand at a second, and what was told of them."""
        self.says = says
        found, events = self.examiner.examine(Scene(sample=self.build.sample(second, rows=rows)))
        return len(found), [event.kind for event in events]


def test_what_is_plain_is_told_at_once(build):
    """A rule that needs no time speaks with the first sample, and that is no event: it was so before."""
    hand = Stagehand(build)
    assert hand.at(0, [_finding()]) == (1, [])
    assert hand.at(1, [_finding()]) == (1, [])


def test_a_finding_must_last_before_it_is_told(build):
    """Ten seconds without a gap; a gap begins anew."""
    hand = Stagehand(build, after_s=10)
    told = {second: hand.at(second, [] if second == 6 else [_finding()])[0] for second in range(30)}
    assert [second for second, count in told.items() if count] == list(range(17, 30))


def test_a_finding_stays_over_a_short_pause(build):
    """Nothing flickers: it ends only when it has not been seen for a while, and that is an event."""
    hand = Stagehand(build, stays_s=5)
    hand.at(0, [])
    assert hand.at(1, [_finding()]) == (1, [EventKind.FINDING_STARTED])
    counts = [hand.at(second, [_finding()] if second % 4 == 0 else []) for second in range(2, 20)]
    assert counts == [(1, [])] * 18
    last = [hand.at(second, []) for second in range(20, 24)]
    assert last == [(1, []), (1, []), (0, [EventKind.FINDING_ENDED]), (0, [])]


def test_a_costly_rule_is_asked_seldom(build):
    """What it said stands meanwhile."""
    hand = Stagehand(build, every_s=5)
    assert [hand.at(second, [_finding()])[0] for second in range(20)] == [1] * 20
    assert hand.asked == 4


def test_a_finding_ends_with_its_process(build):
    """However long it would stay: of who is gone nothing is said."""
    hand = Stagehand(build, stays_s=100)
    rows = [build.row(7)]
    assert hand.at(0, [_finding(pid=7)], rows)[0] == 1
    assert hand.at(1, [], rows)[0] == 1
    assert hand.at(2, [], [build.row(7, started=2.0)])[0] == 0


def test_a_rule_that_fails_is_left_out_and_named_once(build):
    """The moment goes by without it; as soon as it works again it has its say."""
    hand = Stagehand(build)
    assert hand.at(0, ZeroDivisionError("\x1b[31m")) == (0, [EventKind.RULE_FAILED])
    assert hand.at(1, ZeroDivisionError()) == (0, [])
    assert hand.at(2, [_finding()])[0] == 1
    assert hand.at(3, ZeroDivisionError())[0] == 0


def test_a_rule_that_fails_does_not_end_the_monitor(build, script):
    """The frame comes, with an event that names the rule in printable words."""
    monitor = Monitor(script(build.sample(1), build.sample(2)), interval_s=1.0)

    def look(_):
        raise ValueError("a\nb")

    monitor._examination._examiner = Examiner((Watch("DS301", "leak"),), lambda _: look)
    frame = monitor.step()
    assert frame.findings == ()
    assert [event.text for event in frame.events] == [
        r"rule DS301 is left out, it failed: ValueError('a\nb')"
    ]
    assert len(monitor.step().events) == 1


def test_there_are_never_more_than_so_many(build):
    """A rule that finds something everywhere does not fill the memory."""
    hand = Stagehand(build)
    assert hand.at(0, [_finding(gpu=index) for index in range(1000)])[0] == MOST_FINDINGS


@given(st.lists(st.sampled_from(Severity), max_size=20))
def test_the_worst_comes_first(severities):
    """By how grave, then by card."""
    from dstop.testing.build import make_sample

    found = [_finding(gpu=index, severity=severity) for index, severity in enumerate(severities)]
    examiner = Examiner((Watch("DS1", "none"),), lambda _: lambda _: found)
    ordered, _ = examiner.examine(Scene(sample=make_sample(1, 1)))
    grave = list(Severity)[::-1]
    for before, after in pairwise(ordered):
        places = grave.index(before.severity), grave.index(after.severity)
        assert places[0] <= places[1]
        assert places[0] != places[1] or before.gpu_index < after.gpu_index


@pytest.mark.parametrize("watch", WATCHES, ids=lambda watch: watch.rule)
def test_a_live_rule_has_a_page_that_watches_with_the_same_function(watch):
    """`dstop explain` and the monitor speak of the same thing."""
    rule = rule_of(watch.rule)
    assert rule is not None
    assert rule.watch is load(watch)


@pytest.fixture(scope="module")
def story():
    """Give every frame of a loop of the demo."""
    clock = [LOOP_S]
    demo = DemoSource(lambda: clock[0], gpus=8)
    monitor = Monitor(demo, interval_s=1.0, guests=DemoGuests(demo))
    frames = []
    for _ in range(int(LOOP_S)):
        frames.append(monitor.step())
        clock[0] += 1
    return frames


def _seconds(story, rule):
    return [second for second, frame in enumerate(story) if any(one.rule == rule for one in frame.findings)]


def test_the_demo_sees_its_leak_coming(story):
    """A minute and more before rank 3 runs out of memory it is said, of rank 3 alone, and until it is so."""
    seconds = _seconds(story, "DS301")
    assert seconds[0] <= 90
    assert seconds == list(range(seconds[0], seconds[-1] + 1))
    assert 149 <= seconds[-1] <= 153
    assert {one.gpu_index for frame in story for one in frame.findings if one.rule == "DS301"} == {3}
    assert any(
        event.kind is EventKind.FINDING_STARTED and "grows by" in event.text for event in story[-1].events
    )


def test_the_demo_tells_the_rest_of_its_story(story):
    """The full card, the flushes, the heavy rank, and the others that wait in NCCL, each at its time."""
    assert 138 <= _seconds(story, "DS250")[0] <= 142
    assert 138 <= _seconds(story, "DS251")[0] <= 147
    assert _seconds(story, "DS650")[-1] <= 153
    waiting = _seconds(story, "DS652")
    assert 154 <= waiting[0] <= waiting[-1] <= 161
    assert _seconds(story, "DS401") == list(range(int(LOOP_S)))
    assert not any(event.kind is EventKind.RULE_FAILED for event in story[-1].events)


def test_what_is_found_fits_its_place(story):
    """Badges of at most ten letters, sentences of one line, evidence and a fix with a command."""
    for finding in {one for frame in story[::7] for one in frame.findings}:
        assert 0 < len(finding.badge) <= 10
        assert finding.says.isprintable()
        assert len(finding.says) <= 160
        assert finding.evidence
        assert any(fix.command for fix in finding.fixes)

"""The book of an alert: what begins, lasts and ends, how often it is told, and that it stays small."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dstop.alerts.condition import Seen, Subject, parse_condition
from dstop.alerts.ledger import MOST_REMEMBERED, MOST_STANDING, MOST_TOLD, QUIET_S, Ledger

HIGH = "gpu.memory_pct > 95"


def book(text=HIGH, every_s=600.0):
    """Give an empty book."""
    return Ledger(parse_condition(text), every_s)


def yes(*names):
    """Say that these hold."""
    return [Seen(key=(name,), holds=True, subject=Subject(says=str(name))) for name in names]


def unknown(*names):
    """Say that nothing is known of these."""
    return [Seen(key=(name,), holds=None) for name in names]


def names(told):
    """Give what is told."""
    return [each.subject.says for each in told]


def test_it_begins_when_it_has_lasted_and_is_told_once_each_while():
    """`for 60s` is sixty seconds of readings; then one message, and one each ten minutes."""
    ledger = book(f"{HIGH} for 60s")
    told = [
        (now, names(changes.began), names(changes.lasting))
        for now in range(0, 1500, 10)
        if (changes := ledger.step(yes("a"), now)).began or changes.lasting
    ]
    assert told == [(60, ["a"], []), (660, [], ["a"]), (1260, [], ["a"])]


def test_what_was_not_watched_did_not_last():
    """Sixty seconds with a hole of forty in them are not sixty seconds."""
    ledger = book(f"{HIGH} for 60s")
    ledger.step(yes("a"), 0)
    assert not ledger.step(yes("a"), 61).began
    assert not ledger.step(yes("a"), 90).began
    ledger.step(yes("a"), 110)
    assert ledger.step(yes("a"), 121).began


def test_a_figure_at_its_bound_is_one_alert():
    """To and fro each second is told once, and over once, when it has been quiet."""
    ledger = book()
    changes = [ledger.step(yes("a") if now % 2 == 0 else [], now) for now in range(60)]
    assert sum(len(each.began) for each in changes) == 1
    assert not any(each.ended for each in changes)
    assert names(ledger.step([], 58 + QUIET_S).ended) == ["a"]


def test_what_comes_back_soon_is_not_told_again():
    """A job that is started again and again fires once per `every`, not once per start."""
    ledger = book(every_s=600)
    began = 0
    for now in range(0, 590, 100):
        began += len(ledger.step(yes("a"), now).began)
        ledger.step([], now + QUIET_S + 1)
    assert began == 1
    assert ledger.step(yes("a"), 601).began


def test_what_is_not_known_keeps_what_stands_and_begins_nothing():
    """A card that is lost while it is full is not over; one that is not known long enough begins nothing."""
    ledger = book(f"{HIGH} for 10s")
    ledger.step(yes("a"), 0)
    assert ledger.step(yes("a"), 10).began
    for now in range(11, 200, 5):
        assert not ledger.step(unknown("a", "b"), now).ended
    assert ledger.firing == 1
    ledger.step(yes("b"), 200)
    ledger.step(unknown("b"), 205)
    assert not ledger.step(yes("b"), 212).began


def test_a_storm_is_some_messages_and_then_one():
    """Beyond ten messages within `every` what begins waits, and comes together."""
    ledger = book(every_s=600)
    messages = [ledger.step(yes(*range(now + 1)), now).began for now in range(60)]
    assert sum(bool(began) for began in messages) == MOST_TOLD
    late = ledger.step(yes(*range(60)), 601)
    assert len(late.began) == 60 - MOST_TOLD


@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(0, 2000), st.sampled_from([True, None])),
            max_size=40,
            unique_by=lambda pair: pair[0],
        ),
        max_size=60,
    )
)
def test_nothing_ends_that_was_not_told_and_nothing_is_told_twice(steps):
    """Whatever comes: each thing is begun, then ended, then begun; and the book stays bounded."""
    ledger = book(every_s=10)
    standing = set()
    for now, step in enumerate(steps):
        seen = [each for key, holds in step for each in (yes(key) if holds else unknown(key))]
        changes = ledger.step(seen, now * 7.0)
        ended, began = set(names(changes.ended)), set(names(changes.began))
        assert ended <= standing
        standing -= ended
        assert not began & standing
        standing |= began
        assert set(names(changes.lasting)) <= standing


def test_the_book_is_bounded():
    """More things than anybody has are counted, not kept; what was told long ago is forgotten."""
    ledger = book(every_s=600)
    ledger.step(yes(*range(MOST_STANDING + 5)), 0)
    assert ledger.firing == MOST_STANDING
    assert ledger.left_out == 5
    for now in range(1, 40):
        ledger.step(yes(*range(now * 1000, now * 1000 + 200)), now * (QUIET_S + 1))
    assert len(ledger._told) <= MOST_REMEMBERED
    assert len(ledger._standing) <= MOST_STANDING

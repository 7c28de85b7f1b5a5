"""Rate classes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dstop.sources.nvml.due import Due


def test_a_two_second_class_is_every_second_reading_of_a_jittery_second():
    """Readings that come a few per cent early or late do not make the class skip a turn."""
    due = Due(2.0)
    times = [0.0, 1.01, 1.97, 3.0, 3.99, 4.96, 5.93]
    assert [due.now(at) for at in times] == [True, False, True, False, True, False, True]


def test_a_reset_class_is_due():
    """After what it read is gone, it is due at once."""
    due = Due(5.0)
    due.now(0.0)
    due.reset()
    assert due.now(0.1)


def test_a_clock_that_goes_back_does_not_silence_a_class():
    """A class that was last read in the future is due."""
    due = Due(5.0)
    due.now(1000.0)
    assert due.now(3.0)


@given(st.lists(st.floats(0.05, 3.0), max_size=60))
def test_two_turns_are_never_closer_than_nine_tenths_of_the_period(steps):
    """However the readings fall, the class costs no more than its rate allows."""
    due, now_s, last_s = Due(2.0), 0.0, None
    for step in steps:
        now_s += step
        if due.now(now_s):
            assert last_s is None or now_s - last_s >= 1.8 - 1e-9
            last_s = now_s

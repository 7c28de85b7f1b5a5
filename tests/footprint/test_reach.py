"""The search for the most that fits is exact, whatever the curve, and needs few looks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dstop.footprint.reach import largest


@given(
    room=st.integers(-100, 10**9),
    slope=st.integers(1, 10**6),
    step=st.integers(1, 50),
    power=st.sampled_from([1, 2]),
    bounds=st.tuples(st.integers(1, 2000), st.integers(1, 3000), st.integers(1, 8)),
)
def test_it_is_the_largest_that_leaves_room(room, slope, step, power, bounds):
    """Straight, stepped or quadratic, the answer fits and the next value does not, or is beyond the bound."""
    start, most, least = bounds

    def left(value):
        return room - slope * (-(-value // step) * step) ** power

    found = largest(left, start, most, least=least)
    fitting = [value for value in range(least, most + 1) if left(value) >= 0]
    assert found == (fitting[-1] if fitting else 0)


def test_a_straight_line_takes_few_looks():
    """On a line a handful of estimates is enough, even far from the start."""
    looked = []

    def left(value):
        looked.append(value)
        return 80 * 2**30 - 3 * 2**30 - 7_654_321 * value

    found = largest(left, 1, 2**20)
    assert found == (77 * 2**30) // 7_654_321
    assert len(looked) <= 8


def test_no_value_is_looked_at_twice_or_beyond_the_bound():
    """Estimates cost milliseconds, and a sequence beyond the model's positions has no meaning."""
    looked = []

    def left(value):
        looked.append(value)
        return 10**6 - value * value

    largest(left, 1, 900)
    assert len(looked) == len(set(looked))
    assert max(looked) <= 900

"""The search for the most that fits is exact, whatever the curve, and needs few looks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dstop.footprint.reach import GRAIN, largest, longest


@given(
    room=st.integers(-100, 10**9),
    curve=st.tuples(st.integers(1, 10**6), st.integers(1, 50), st.sampled_from([1, 2])),
    bounds=st.tuples(st.integers(1, 2000), st.integers(1, 3000), st.integers(1, 8)),
    known=st.lists(st.integers(-5, 4000), max_size=5),
)
def test_it_is_the_largest_that_leaves_room(room, curve, bounds, known):
    """Straight, stepped or quadratic, the answer fits and the next value does not, or is beyond the bound."""
    slope, step, power = curve
    start, most, least = bounds

    def left(value):
        return room - slope * (-(-value // step) * step) ** power

    found = largest(left, start, most, least=least, known=known)
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


@given(room=st.integers(-10, 10**6), most=st.integers(1, 5000), least=st.integers(1, 40))
def test_a_sequence_is_found_to_its_grain(room, most, least):
    """It is the whole of what has a meaning, or the last multiple that fits."""
    found = longest(lambda tokens: room - 100 * tokens, 64, most, least=least)
    if least <= most <= room // 100:
        assert found == most
    else:
        whole = [tokens for tokens in range(GRAIN, most + 1, GRAIN) if least <= tokens <= room // 100]
        assert found == (whole[-1] if whole else 0)


def test_what_is_known_saves_looks():
    """With two points of the line known, the answer and the value above it are all that is looked at."""
    looked = []

    def left(value):
        looked.append(value)
        return 10**9 - 12_345 * value

    found = largest(left, 1, 2**20, known=(1, 2))
    assert found == 10**9 // 12_345
    assert looked == [1, 2, found, found + 1]

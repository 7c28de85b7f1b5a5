"""The wobble: smooth, bounded, and without a memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dstop.sources.demo.noise import scramble, wobble


@given(st.integers(-(2**70), 2**70), st.integers(0, 100), st.floats(-1e9, 1e9))
def test_it_stays_between_minus_one_and_one(seed: int, channel: int, at: float):
    """No seed and no moment makes a figure leave its range."""
    assert -1.0001 <= wobble(seed, channel, at) <= 1.0001


@given(st.integers(0, 2**32), st.integers(0, 100), st.floats(0, 1e6))
def test_it_moves_smoothly(seed: int, channel: int, at: float):
    """A hundredth of a unit later it has moved by a few hundredths at most."""
    assert abs(wobble(seed, channel, at + 0.01) - wobble(seed, channel, at)) < 0.05


def test_it_uses_its_whole_range_evenly():
    """Over many units its mean is near zero and it comes near both ends."""
    values = [wobble(1, 2, step) for step in range(4000)]
    assert abs(sum(values) / len(values)) < 0.05
    assert min(values) < -0.95
    assert max(values) > 0.95


def test_channels_do_not_follow_each_other():
    """Two channels of one seed, and one channel of two seeds, are unrelated."""
    first, second, third = (
        [wobble(seed, channel, step) for step in range(4000)] for seed, channel in ((1, 1), (1, 2), (2, 1))
    )
    assert abs(sum(a * b for a, b in zip(first, second, strict=True))) / 4000 < 0.05
    assert abs(sum(a * b for a, b in zip(first, third, strict=True))) / 4000 < 0.05


def test_numbers_that_differ_in_one_place_are_scrambled_apart():
    """Neighbouring inputs share no output among tens of thousands."""
    found = {scramble(a, b, c) for a in range(30) for b in range(30) for c in range(30)}
    assert len(found) > 26_990

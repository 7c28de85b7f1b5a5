"""When readings rise steadily, and when they only seem to."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.doctor.live.trend import LEAST_READINGS, MOST_AHEAD, steady_rise
from dstop.units import GIB, MIB

LEAST = 256 * MIB
BASES = st.floats(8 * GIB, 60 * GIB)
SLOPES = st.floats(8 * MIB, 100 * MIB)
COUNTS = st.integers(LEAST_READINGS, 120)
SEEDS = st.integers(0, 2**32)


@given(BASES, SLOPES, COUNTS, st.floats(0, 0.3), SEEDS)
def test_a_steady_ramp_is_full_when_it_says(base, slope, count, noise, seed):
    """With noise far below what is gained, the minutes are right to a sixth."""
    random = Random(seed)
    ramp = [base + slope * step + random.uniform(-noise, noise) * slope * 10 for step in range(count)]
    trend = steady_rise(ramp, least_rise=LEAST)
    assert trend is not None
    room = 20 * slope * count / 10
    assert trend.readings_until(room) == pytest.approx(room / slope, rel=1 / 6)


@given(BASES, st.integers(20, 80), COUNTS)
def test_stairs_are_a_ramp(base, stair_mib, count):
    """A caching allocator grows by segments: every few steps one more."""
    stairs = [base + step // 4 * 4 * stair_mib * MIB for step in range(count)]
    trend = steady_rise(stairs, least_rise=LEAST)
    assert trend is not None
    assert trend.per_reading == pytest.approx(stair_mib * MIB, rel=0.25)


@given(BASES, st.floats(0, 20 * GIB), COUNTS, SEEDS)
def test_noise_is_none(base, width, count, seed):
    """However wide it is, what goes up comes down."""
    random = Random(seed)
    noise = [base + random.uniform(0, width) for _ in range(count)]
    assert steady_rise(noise, least_rise=LEAST) is None


@given(BASES, st.floats(GIB, 20 * GIB), st.integers(2, 20), COUNTS, st.integers(0, 20))
def test_a_saw_is_none(base, height, period, count, phase):
    """A cache that fills and is emptied is not a leak, wherever in its period one looks."""
    saw = [base + height * ((step + phase) % period) / period for step in range(count)]
    assert steady_rise(saw, least_rise=LEAST) is None


@given(BASES, st.integers(0, 119), st.floats(0, 30 * GIB), COUNTS)
def test_a_plateau_is_none_even_behind_a_step(base, at, height, count):
    """One larger batch, kept in the cache from then on, is one step and no trend."""
    plateau = [base + (height if step >= at else 0) for step in range(count)]
    assert steady_rise(plateau, least_rise=LEAST) is None


@given(st.floats(4 * GIB, 70 * GIB), st.integers(5, 60), st.integers(0, 120))
def test_loading_and_then_staying_is_none(top, loading, staying):
    """The ramp of the start ends in a plateau: before its end there are too few readings, after it too little rise."""
    readings = [top * min(1.0, step / loading) for step in range(loading + staying + 1)]
    assert steady_rise(readings[-120:], least_rise=LEAST) is None


@given(BASES, st.floats(1 * GIB, 20 * GIB), COUNTS)
def test_what_settles_is_none(base, height, count):
    """A curve that flattens has no end to be full at."""
    curve = [base + height * (1 - 0.5 ** (step / (count / 6))) for step in range(count)]
    assert steady_rise(curve, least_rise=LEAST) is None


@given(st.lists(st.floats(0, 80 * GIB), max_size=LEAST_READINGS - 1))
def test_few_readings_are_none(readings):
    """A minute is the least."""
    assert steady_rise(readings, least_rise=0) is None


def test_what_falls_is_none():
    """Memory that is given back is nobody's leak."""
    assert steady_rise([60 * GIB - step * 50 * MIB for step in range(120)], least_rise=LEAST) is None


def test_a_rise_that_is_not_worth_a_word_is_none():
    """A few megabytes in two minutes are bookkeeping."""
    assert steady_rise([40 * GIB + step * MIB for step in range(120)], least_rise=LEAST) is None


def test_gaps_are_bridged_and_silence_is_not():
    """Some readings that did not come do not hide a trend; where most are missing, nobody knows."""
    ramp = [40 * GIB + step * 50 * MIB if step % 20 else None for step in range(120)]
    assert steady_rise(ramp, least_rise=LEAST) is not None
    assert (
        steady_rise([value if place % 3 else None for place, value in enumerate(ramp)], least_rise=LEAST)
        is None
    )


def test_a_saw_over_a_ramp_is_a_ramp():
    """The demo's unlucky rank: a cache that is emptied every twelve seconds, on a climb that is none of its own."""
    saw = [47 * GIB + step * 0.1 * GIB + step // 2 % 6 * GIB for step in range(96)]
    trend = steady_rise(saw, least_rise=LEAST)
    assert trend is not None
    assert trend.per_reading == pytest.approx(0.1 * GIB, rel=0.2)


def test_it_does_not_look_further_than_it_can():
    """Two minutes of readings say nothing about tomorrow."""
    trend = steady_rise([40 * GIB + step * 10 * MIB for step in range(120)], least_rise=LEAST)
    assert trend is not None
    assert trend.readings_until(trend.per_reading * 120 * MOST_AHEAD * 1.1) is None
    assert trend.readings_until(-5) == 0

"""Ends of segments that count as handed out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.footprint.allocator import unsplit, unsplit_equal, unused_equal
from dstop.units import MIB


@pytest.mark.parametrize(
    ("shape", "rest"),
    [((5120, 13824), MIB), ((3584, 18944), MIB // 2), ((5120, 27648), 0), ((1536, 8960), 0), ((64, 64), 0)],
    ids=["Qwen2.5-14B", "Qwen2.5-7B", "Qwen2.5-32B", "Qwen2.5-1.5B", "small"],
)
def test_matrices_of_16_bits(shape, rest):
    """135 MiB takes 136 and keeps the rest; 26.25 MiB takes 28, of which 1.75 are split off and used."""
    assert unsplit(2 * shape[0] * shape[1]) == rest


def test_thirteen_experts_fill_a_segment():
    """1.5 MiB each: half a MiB of the 20 goes with the last."""
    assert unsplit_equal(1.5 * MIB) == pytest.approx(0.5 * MIB / 13)
    assert unsplit_equal(3 * MIB) == 0


def test_three_experts_leave_some_of_a_segment():
    """5.5 MiB each: 3.5 MiB are split off and stay free."""
    assert unused_equal(5.5 * MIB) == pytest.approx(3.5 * MIB / 3)
    assert unused_equal(1.5 * MIB) == unused_equal(20 * MIB) == unused_equal(MIB / 2) == 0


@given(st.integers(1, 2**34))
def test_never_more_than_a_mib(size):
    """What is larger is split off."""
    assert 0 <= unsplit(size) <= MIB
    assert 0 <= unsplit_equal(size) <= MIB

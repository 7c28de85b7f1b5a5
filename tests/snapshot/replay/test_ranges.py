"""Ranges agree with a set of numbers."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from dstop.snapshot.replay.ranges import Ranges

STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 40), st.integers(0, 12)), max_size=40)


@given(STEPS)
def test_ranges_are_a_set(steps: list[tuple[bool, int, int]]) -> None:
    """Whatever is added and taken away, the ranges hold exactly what a set would, in order, and never touch."""
    ranges, numbers = Ranges(), set[int]()
    for add, start, length in steps:
        if add:
            ranges.add(start, start + length)
            numbers |= set(range(start, start + length))
        else:
            ranges.remove(start, start + length)
            numbers -= set(range(start, start + length))
    found = list(ranges)
    assert [number for start, end in found for number in range(start, end)] == sorted(numbers)
    assert all(first[1] < second[0] for first, second in itertools.pairwise(found))

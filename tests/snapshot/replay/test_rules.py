"""The formulas of the allocator, each against hand calculation or what PyTorch 2.8 and 2.14 really did."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.snapshot.replay.rules import Rules, page_size, round_size, rules_of, segment_size
from dstop.snapshot.values import Settings
from dstop.units import MIB

TWO_STEPS = Rules(divisions={1 << number: 2 for number in range(16)})
SIZES = st.integers(1, 1 << 40)


@pytest.mark.parametrize(
    ("request_bytes", "rounded"),
    [(1, 512), (511, 512), (512, 512), (513, 1024), (1000, 1024), (100_001, 100_352)],
)
def test_sizes_are_rounded_up_to_512(request_bytes: int, rounded: int) -> None:
    """`round_size` without divisions."""
    assert round_size(request_bytes, Rules()) == rounded


@pytest.mark.parametrize(
    ("request_bytes", "rounded"),
    [
        (1000, 1024),
        (100_001, 131_072),
        (700_001, 786_432),
        (1_500_001, 1_572_864),
        (3_000_000, 3_145_728),
        (MIB + 1, 1_572_864),
        (5 * MIB, 6 * MIB),
        (8 * MIB, 8 * MIB),
    ],
)
def test_divisions_round_as_torch_did(request_bytes: int, rounded: int) -> None:
    """Active bytes of one tensor under `roundup_power2_divisions:2`, as PyTorch 2.8.0 and 2.14.1 counted them."""
    assert round_size(request_bytes, TWO_STEPS) == rounded


@pytest.mark.parametrize("divisions", [0, 1])
def test_one_division_is_none(divisions: int) -> None:
    """With `roundup_power2_divisions:1` torch rounded to 512 as without it."""
    rules = Rules(divisions={1 << number: divisions for number in range(16)})
    assert round_size(700_001, rules) == 700_416


def test_divisions_count_for_their_interval_alone() -> None:
    """The interval of 4 MiB is from 4 to 8 MiB; what is below 1 MiB belongs to the first."""
    rules = Rules(divisions={1: 4, 4: 2})
    assert round_size(5 * MIB, rules) == 6 * MIB
    assert round_size(3 * MIB - 1, rules) == 3 * MIB
    assert round_size(9 * 2**16 + 1, rules) == 10 * 2**16


@given(SIZES, st.sampled_from([0, 2, 4, 8, 16]))
def test_rounding_never_shrinks_and_is_done_once(size: int, divisions: int) -> None:
    """A rounded size holds the request, is a multiple of 512, and stays as it is when it is rounded again."""
    rules = Rules(divisions={1 << number: divisions for number in range(16)})
    rounded = round_size(size, rules)
    assert rounded >= size
    assert rounded % 512 == 0
    assert round_size(rounded, rules) == rounded


@pytest.mark.parametrize(
    ("size", "segment"),
    [
        (512, 2 * MIB),
        (MIB, 2 * MIB),
        (MIB + 512, 20 * MIB),
        (10 * MIB - 512, 20 * MIB),
        (10 * MIB, 10 * MIB),
        (10 * MIB + 512, 12 * MIB),
    ],
)
def test_segments_have_one_of_three_sizes(size: int, segment: int) -> None:
    """`get_allocation_size`: 2 MiB for small ones, 20 MiB up to 10 MiB, then whole multiples of 2 MiB."""
    assert segment_size(size, Rules()) == segment


def test_the_size_of_large_segments_is_a_setting() -> None:
    """`large_segment_size_mb` is read from the configuration, and decides segments and pages of the large pool."""
    rules = rules_of(
        Settings(conf="expandable_segments:True, large_segment_size_mb:12", expandable_segments=True)
    )
    assert segment_size(2 * MIB, rules) == 12 * MIB
    assert (page_size(rules, small=True), page_size(rules, small=False)) == (2 * MIB, 12 * MIB)


def test_without_settings_the_rules_are_torchs_own() -> None:
    """Before 2.3 a snapshot does not say how the allocator was configured."""
    assert rules_of(None) == Rules()

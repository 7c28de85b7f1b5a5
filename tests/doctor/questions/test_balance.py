"""The balance sheet adds up, or says that it does not know."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dstop.doctor.evidence.facts import AllocationFailure, Place
from dstop.doctor.questions.balance import balance_of
from dstop.units import GIB, MIB

PLACE = Place(source="x")
PARTS = st.integers(0, 100 * GIB)


@given(
    live=PARTS, pools=PARTS, cached=PARTS, outside=PARTS, other=PARTS, nobody=PARTS, free=PARTS, tried=PARTS
)
def test_the_parts_sum_to_the_card(*, live, pools, cached, outside, other, nobody, free, tried):
    """Whatever was printed exactly is found again, part by part."""
    reserved = live + pools + cached
    failure = AllocationFailure(
        family="torch",
        place=PLACE,
        tried_bytes=tried,
        total_bytes=reserved + outside + other + nobody + free,
        free_bytes=free,
        allocated_bytes=live + pools,
        private_pool_bytes=pools,
        reserved_bytes=reserved,
        reserved_unallocated_bytes=cached,
        process_bytes=reserved + outside,
        others=((7, other),),
    )
    balance = balance_of(failure)
    assert (balance.allocated_bytes, balance.private_pool_bytes, balance.cached_bytes) == (
        live,
        pools,
        cached,
    )
    assert (balance.not_pytorch_bytes, balance.others_bytes) == (outside, other)
    assert balance.unattributed_bytes == nobody
    assert balance.short_bytes == max(0, tried - free)


def test_what_rounding_hides_is_nobodys():
    """Each figure in GiB may be off by 5 MiB: that much is not blamed on anybody."""
    failure = AllocationFailure(
        family="torch",
        place=PLACE,
        total_bytes=10 * GIB,
        free_bytes=GIB,
        process_bytes=9 * GIB - 9 * MIB,
        rounding_bytes=20 * MIB,
    )
    assert balance_of(failure).unattributed_bytes == 0


def test_a_card_that_spills_has_no_sheet():
    """Where Windows pages GPU memory, nothing adds up, and nothing is made to."""
    failure = AllocationFailure(
        family="torch",
        place=PLACE,
        total_bytes=8 * GIB,
        free_bytes=0,
        allocated_bytes=63 * GIB,
        is_spilling=True,
    )
    balance = balance_of(failure)
    assert balance.unattributed_bytes is None
    assert balance.not_pytorch_bytes is None


def test_unknown_is_none():
    """A message without figures gives a sheet without figures."""
    balance = balance_of(AllocationFailure(family="cuda", place=PLACE))
    assert balance.total_bytes is None
    assert balance.short_bytes is None
    assert balance.unattributed_bytes is None

"""The three lists merged into one row a PID."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dstop.sources.nvml.layouts import Row
from dstop.sources.nvml.processes import merge, with_use
from dstop.sources.nvml.use import IDLE, Use

some_rows = st.lists(
    st.builds(Row, st.integers(1, 9), st.integers(0, 2**40), reason=st.none())
    | st.builds(Row, st.integers(1, 9), st.none(), reason=st.just("why")),
    max_size=9,
)


@given(some_rows, some_rows, some_rows)
def test_every_pid_of_any_list_is_one_row(compute, graphics, mps):
    """No process is lost by merging and none is doubled, whatever lists it is in."""
    merged = merge(compute, graphics, mps)
    assert set(merged) == {row.pid for row in (*compute, *graphics, *mps)}
    for pid, row in merged.items():
        assert row.pid == pid
        assert (row.memory_bytes is None) == (row.memory_reason is not None)


def test_a_process_that_computes_and_draws_counts_once():
    """Both lists tell the same memory, so the larger figure counts and the type says both."""
    row = merge([Row(5, 300)], [Row(5, 310)], [])[5]
    assert (row.type, row.memory_bytes) == ("C+G", 310)


def test_an_mps_client_is_of_type_m():
    """A client of MPS keeps that type also where the compute list has it too."""
    assert merge([Row(5, 300)], [], [Row(5, 300), Row(6, 1)])[5].type == "M"


def test_contexts_on_two_mig_instances_add_up():
    """One process on two slices of a card holds the memory of both."""
    assert merge([Row(5, 300, 1, 0), Row(5, 400, 2, 0)], [], [])[5].memory_bytes == 700


def test_half_a_sum_is_not_told_as_the_sum():
    """When one of two contexts has no figure, the process has none, and says why."""
    row = merge([Row(5, 300, 1, 0), Row(5, None, 2, 0, "silent")], [], [])[5]
    assert (row.memory_bytes, row.memory_reason) == (None, "silent")


def test_a_process_without_a_sample_gets_what_holds_for_all_without():
    """Those with a sample keep it; the rest is idle, or has the reason why nobody knows."""
    listed = merge([Row(1, 1), Row(2, 2)], [], [])
    used = {1: Use(50.0, 10.0, 0.0, 0.0)}
    assert [row.use for row in with_use(listed, used, IDLE)] == [used[1], IDLE]
    assert with_use(listed, used, "too soon")[1].use_reason == "too soon"

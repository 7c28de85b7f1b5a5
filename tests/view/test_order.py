"""The orders of the process table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.model.allocator import Allocator
from dstop.testing import make_expectation, make_process
from dstop.view.order import SORT_KEYS, sort_rows

VALUES = st.one_of(st.none(), st.integers(0, 4), st.just(float("nan")))


def _pids(rows):
    return [row.pid for row in rows]


def test_by_gpu_the_heaviest_of_a_card_comes_first(build):
    """The default order is GPU, then memory from the top; rows without a figure end their card."""
    rows = [
        build.process(1, 5, 10),
        build.process(0, 4, None),
        build.process(0, 2, 3),
        build.process(0, 3, 9),
        build.process(0, 1, 3),
    ]
    assert _pids(sort_rows(rows)) == [3, 1, 2, 4, 5]
    assert _pids(sort_rows(rows, "gpu", reverse=True)) == [5, 3, 1, 2, 4]


def _holding(allocated, reserved=100):
    return Allocator(index=0, allocated_bytes=allocated, active_bytes=allocated, reserved_bytes=reserved)


@pytest.mark.parametrize(
    ("key", "field", "values", "expected"),
    [
        ("mem", "gpu_memory_bytes", (5, 50, None, 20), [2, 4, 1, 3]),
        ("sm", "sm_pct", (5.0, 50.0, None, 20.0), [2, 4, 1, 3]),
        ("cpu", "cpu_pct", (5.0, 50.0, None, 0.0), [2, 1, 4, 3]),
        ("rss", "rss_bytes", (5, 50, None, 20), [2, 4, 1, 3]),
        ("time", "started_at_s", (50.0, 5.0, None, 20.0), [2, 4, 1, 3]),
        ("user", "user", ("bob", "Alice", None, "carl"), [2, 1, 4, 3]),
        ("command", "command", ("b", "a", None, "B"), [2, 1, 4, 3]),
        ("rank", "rank", (7, 0, None, 3), [2, 4, 1, 3]),
        ("alloc", "allocator", (_holding(5), _holding(50), None, _holding(20)), [2, 4, 1, 3]),
        ("cached", "allocator", (_holding(95), _holding(50), _holding(None), _holding(80)), [2, 4, 1, 3]),
        ("other", "allocator", (_holding(5, 95), _holding(5, 50), None, _holding(5, 80)), [2, 4, 1, 3]),
    ],
)
def test_what_a_person_wants_first_is_first(build, key, field, values, expected):
    """Heavy, busy and old rows come first, names from A; unknown ones are last in both directions."""
    rows = [build.process(0, pid, **{field: value}) for pid, value in enumerate(values, 1)]
    assert _pids(sort_rows(rows, key)) == expected
    turned = _pids(sort_rows(rows, key, reverse=True))
    assert turned[-1] == expected[-1] == 3
    ties = key == "command"  # b and B are equal, and stay in the order of their PIDs
    assert turned[:3] == ([1, 4, 2] if ties else expected[2::-1])


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 5), VALUES), max_size=30),
    st.sampled_from(sorted(SORT_KEYS)),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_order_is_whole_and_does_not_depend_on_how_rows_came(build, drawn, key, reverse, random):
    """Every row is there once, unknown ones at the end, and shuffled rows come out alike."""
    rows = [
        build.process(
            gpu, pid, None, gpu_memory_bytes=value, sm_pct=value, cpu_pct=value, rss_bytes=value, rank=value,
            started_at_s=value, user=None if value is None else str(value),
            command=None if value is None else "x",
        )
        for gpu, pid, value in drawn
    ]  # fmt: skip
    ordered = sort_rows(rows, key, reverse=reverse)
    assert sorted(map(id, ordered)) == sorted(map(id, rows))
    if key not in {"gpu", "pid"}:
        unknown = [(value := SORT_KEYS[key].value(row)) is None or value != value for row in ordered]  # noqa: PLR0124
        assert unknown == sorted(unknown)
    shuffled = list(rows)
    random.shuffle(shuffled)
    again = sort_rows(shuffled, key, reverse=reverse)
    assert [(row.gpu_index, row.pid) for row in again] == [(row.gpu_index, row.pid) for row in ordered]


def test_ties_are_by_gpu_and_pid_in_both_directions(build):
    """Rows that are equal in the key keep one order: turning the table round does not shuffle them."""
    rows = [build.process(1, 1, 5), build.process(0, 9, 5), build.process(0, 2, 5)]
    for reverse in (False, True):
        assert _pids(sort_rows(rows, "mem", reverse)) == [2, 9, 1]


def test_what_is_expected_and_what_is_over_are_orders():
    """The largest first; what is not known, or known in part, comes last."""
    gib = 2**30
    over = make_process(0, 1, expectation=make_expectation(9 * gib, 10 * gib, 11 * gib, live=30 * gib))
    large = make_process(0, 2, expectation=make_expectation(49 * gib, 50 * gib, 51 * gib, live=50 * gib))
    floor = make_process(
        0, 3, expectation=make_expectation(9 * gib, 20 * gib, None, live=90 * gib, unknown={"logits": "x"})
    )
    rows = [make_process(0, 4), floor, over, large]
    assert [row.pid for row in sort_rows(rows, "expected")] == [2, 3, 1, 4]
    assert [row.pid for row in sort_rows(rows, "excess")] == [1, 2, 3, 4]

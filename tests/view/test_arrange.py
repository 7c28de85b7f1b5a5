"""The lines of the process table: which are there, and in which order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.view.arrange import View, arrange, processes_of
from dstop.view.filter import parse
from dstop.view.order import SORT_KEYS
from dstop.view.rows import GroupRow, ProcessRow, UnattributedRow


def _said(rows):
    """Write rows down short: PIDs, and `?gpu` for what is nobody's."""
    return [
        row.process.pid if isinstance(row, ProcessRow) else f"?{row.unattributed.gpu_index}" for row in rows
    ]


@pytest.fixture(scope="module")
def machine(build):
    """Give two cards with three programs, one of them on both, and memory of nobody on each."""
    return build.sample(
        build.process(0, 10, 30, user="alice", sm_pct=90.0),
        build.process(1, 10, 2, user="alice", sm_pct=1.0),
        build.process(1, 20, 60, user="bob"),
        build.process(0, 30, None),
        unattributed=(build.nobodys(0, 5), build.nobodys(1, 40)),
    )


def test_a_process_on_two_gpus_is_two_rows(machine):
    """Rows are of processes on GPUs: none is dropped, not even one without a figure."""
    assert _said(arrange(machine, View())) == [10, 30, "?0", 20, 10, "?1"]


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (View(reverse=True), [20, 10, "?1", 10, 30, "?0"]),
        (View(sort="mem"), [20, "?1", 10, "?0", 10, 30]),
        (View(sort="mem", reverse=True), [10, "?0", 10, "?1", 20, 30]),
        (View(sort="sm"), [10, 10, 30, 20, "?1", "?0"]),
        (View(show_unattributed=False), [10, 30, 20, 10]),
        (View(gpu_index=1), [20, 10, "?1"]),
        (View(gpu_index=7), []),
        (View(users=frozenset({"alice"})), [10, 10]),
        (View(pids=frozenset({20, 30})), [30, 20]),
        (View(filter=parse("mem>3G")), [10, "?0", 20, "?1"]),
        (View(filter=parse("mem>10G")), [10, 20, "?1"]),
        (View(filter=parse("gpu:0")), [10, 30, "?0"]),
        (View(filter=parse("user:alice")), [10, 10]),
        (View(filter=parse("not user:alice")), [30, 20]),
        (View(filter=parse("pid:10"), gpu_index=0), [10]),
        (View(filter=parse("")), [10, 30, "?0", 20, 10, "?1"]),
    ],
)
def test_views(machine, view, said):
    """Focus, users, PIDs and filters leave rows out; nobody's memory stays by its card or its size."""
    assert _said(arrange(machine, view)) == said


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(1, 9), st.none() | st.integers(0, 80)),
        max_size=20,
        unique_by=lambda row: row[:2],
    ),
    st.sampled_from(sorted(SORT_KEYS)),
    st.booleans(),
    st.sampled_from([{}, {"group": "user"}, {"group": "job"}, {"tree": True}]),
)
def test_no_view_loses_a_row_or_repeats_a_key(build, drawn, sort, reverse, layout):
    """However the table is laid out, each process is in it once and each line has a key of its own."""
    rows = [
        build.process(
            gpu, pid, gib, user=f"u{pid % 3}", job=f"j{pid % 2}" if pid % 4 else None, ppid=pid // 2, rank=pid
        )
        for gpu, pid, gib in drawn
    ]
    taken = build.sample(*rows, unattributed=[build.nobodys(2, 1)])
    lines = arrange(taken, View(sort=sort, reverse=reverse, **layout), {0: (None, "init"), 4: (2, "sh")})
    assert sorted(row.key for row in processes_of(lines)) == sorted(row.key for row in rows)
    assert len({line.key for line in lines}) == len(lines)
    assert sum(isinstance(line, UnattributedRow) for line in lines) == 1


def test_slices_of_one_card_have_keys_of_their_own(build):
    """One process may be on two MIG slices of a card: a tag must hit one of the two rows."""
    taken = build.sample(
        build.process(0, 5, 3, gpu_instance_id=1, compute_instance_id=0),
        build.process(0, 5, 3, gpu_instance_id=2, compute_instance_id=0),
    )
    assert len({row.key for row in arrange(taken, View())}) == 2


def test_group_view_puts_nobodys_memory_last(machine):
    """Groups are of people; what is nobody's follows them, the largest first."""
    rows = arrange(machine, View(group="user", sort="mem"))
    kinds = [row.label if isinstance(row, GroupRow) else _said([row])[0] for row in rows]
    assert kinds == ["bob", 20, "alice", 10, 10, "user not known", 30, "?1", "?0"]

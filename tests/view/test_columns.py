"""Which columns fit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dstop.model.allocator import Allocator
from dstop.view.columns import GAP, LEAST_COMMAND, NAMES, RowFacts, columns_for, row_facts
from dstop.view.order import SORT_KEYS

FACTS = st.builds(
    RowFacts,
    ranks=st.booleans(),
    containers=st.booleans(),
    frameworks=st.booleans(),
    models=st.booleans(),
    slices=st.booleans(),
    stuck=st.booleans(),
    allocators=st.booleans(),
)


def _names(width, **facts):
    return [column.name for column in columns_for(width, RowFacts(**facts))]


@given(st.integers(1, 400), FACTS)
def test_columns_never_exceed_the_width(width, facts):
    """At any width the table fits, has a column from 4 cells on, and uses all cells once COMMAND is there."""
    columns = columns_for(width, facts)
    total = sum(column.width + GAP for column in columns) - GAP
    assert total <= width
    assert (len(columns) >= 1) == (width >= 3)
    names = [column.name for column in columns]
    assert len(set(names)) == len(names)
    if "command" in names:
        assert total == width
        assert columns[-1].name == "command"
        assert columns[-1].width >= LEAST_COMMAND


@given(st.integers(1, 399), FACTS)
def test_a_wider_table_keeps_the_essential(width, facts):
    """One more cell never takes a base column away."""
    base = {"gpu", "mem", "pid", "command", "user", "sm", "cpu", "time"}
    narrow = {column.name for column in columns_for(width, facts)} & base
    assert narrow <= {column.name for column in columns_for(width + 1, facts)}


def test_eighty_columns_are_the_classic_eight():
    """At 80 columns the table is GPU PID USER MEM SM% CPU% TIME COMMAND."""
    assert _names(80) == ["gpu", "pid", "user", "mem", "sm", "cpu", "time", "command"]


def test_what_this_machine_needs_comes_before_what_is_nice():
    """A stuck process, MIG or ranks get their column at 80; share, RSS and type wait for more room."""
    assert "state" in _names(80, stuck=True)
    assert "rank" in _names(80, ranks=True)
    assert "slice" in _names(80, slices=True)
    assert {"share", "rss", "type"} <= set(_names(110))


def test_columns_without_content_are_left_out():
    """On any width there is no column for what no process has."""
    bare = set(_names(400))
    assert bare.isdisjoint({"rank", "container", "framework", "model", "slice", "state", "alloc", "cached"})
    full = set(
        _names(400, ranks=True, containers=True, frameworks=True, models=True, slices=True, stuck=True)
    )
    assert {"rank", "container", "framework", "model", "slice", "state"} <= full


def test_what_pytorch_holds_has_columns_where_it_is_told():
    """With a hook in some row, tensors and cache come on a wide screen, and leave the classic eight alone."""
    assert {"alloc", "cached"} <= set(_names(110, allocators=True))
    assert "other" not in _names(400, allocators=True)
    assert _names(80, allocators=True) == _names(80)


def test_every_sort_key_of_a_column_exists():
    """A click on a title can sort by it."""
    columns = columns_for(400, RowFacts(), NAMES)
    assert {column.sort_key for column in columns} - {None} == set(SORT_KEYS)


def test_facts_are_seen_in_the_rows(build):
    """Each optional column is asked for by a process that has something for it, and by no other."""
    assert row_facts([build.process(state="S")]) == RowFacts()
    rows = [
        build.process(rank=0),
        build.process(container="docker:1"),
        build.process(framework="vllm", model="x"),
        build.process(gpu_instance_id=0, state="Z", allocator=Allocator(index=0)),
    ]
    assert row_facts(rows) == RowFacts(
        ranks=True, containers=True, frameworks=True, models=True, slices=True, stuck=True, allocators=True
    )


def test_columns_that_were_asked_for_come_in_their_order() -> None:
    """The user's own table; what does not fit is left out from the end, COMMAND takes the rest."""
    facts = RowFacts()
    chosen = columns_for(60, facts, ("pid", "mem", "command", "user"))
    assert [column.name for column in chosen] == ["pid", "mem", "command", "user"]
    assert sum(column.width + GAP for column in chosen) == 60 + GAP
    assert [column.name for column in columns_for(12, facts, ("pid", "mem", "user"))] == ["pid"]

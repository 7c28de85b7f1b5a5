"""Bars and graphs: what is there is seen, what is not known looks unlike zero."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.draw.bars import graph_rows, meter, stacked
from dstop.draw.line import line_cells, plain
from dstop.draw.memory_bar import Holding, holdings, memory_bar
from dstop.model.allocator import Allocator
from dstop.testing import make_gpu, make_process
from dstop.units import GIB, MIB

VALUES = st.lists(st.none() | st.floats(-10, 1e6), max_size=80)


@settings(deadline=None)
@given(st.none() | st.floats(allow_nan=False), st.integers(0, 80))
def test_a_meter_is_as_wide_as_asked(share: float | None, width: int) -> None:
    """Shares out of range and unknown ones too."""
    assert line_cells(meter(share, width, "ok")) == width


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e12), min_size=1, max_size=20), st.floats(0, 1e12), st.integers(0, 80))
def test_a_stacked_bar_is_as_wide_as_asked(amounts: list[float], total: float, width: int) -> None:
    """Parts that do not add up to the whole do not break the bar."""
    assert line_cells(stacked([(amount, "x", "") for amount in amounts], total, width)) == width


@settings(deadline=None)
@given(VALUES, st.integers(0, 30), st.integers(1, 6), st.integers(0, 1))
def test_a_graph_has_its_size(values: list[float | None], width: int, height: int, steps: int) -> None:
    """Any history fills exactly the box."""
    rows = graph_rows(values, width, height, 100, steps)
    assert len(rows) == height
    assert all(len(row) == width for row in rows)


def test_zero_is_not_unknown() -> None:
    """A GPU that idles shows a line of dots, one that says nothing shows none."""
    assert graph_rows([0.0, 0.0], 1, 1, 100) != graph_rows([None, None], 1, 1, 100)


def test_a_graph_stands_still_until_a_pair_is_whole() -> None:
    """Half of the refreshes repaint nothing."""
    values = [10.0, 20.0, 30.0, 40.0]
    assert graph_rows(values, 4, 2, 100, 4) == graph_rows([*values, 90.0], 4, 2, 100, 5)


def test_the_memory_bar_tells_its_parts_apart() -> None:
    """Processes, what nobody claims, what the driver keeps and what is free each have a character."""
    gpu = make_gpu(memory_total_bytes=80 * GIB, memory_used_bytes=60 * GIB, memory_reserved_bytes=8 * GIB)
    text = plain(memory_bar(gpu, [Holding(20 * GIB)] * 2, 80))
    assert [text.count(char) for char in "▇▒░─"] == [40, 20, 8, 12]


def test_bookkeeping_is_not_shown_as_somebodys_memory() -> None:
    """A few megabytes that no process claims are not worth an alarming cell."""
    gpu = make_gpu(
        memory_total_bytes=80 * GIB, memory_used_bytes=20 * GIB + 100 * MIB, memory_reserved_bytes=0
    )
    assert "▒" not in plain(memory_bar(gpu, [Holding(20 * GIB)], 80))


def test_a_guest_is_split_into_used_cached_and_not_pytorchs() -> None:
    """Where an allocator says what it holds, its process is three stretches, in proportion."""
    gpu = make_gpu(memory_total_bytes=80 * GIB, memory_used_bytes=40 * GIB, memory_reserved_bytes=0)
    inside = Allocator(index=0, active_bytes=24 * GIB, reserved_bytes=36 * GIB)
    held = holdings([make_process(gpu_memory_bytes=40 * GIB, allocator=inside)])
    assert plain(memory_bar(gpu, held, 80)) == "▇" * 24 + "▄" * 12 + "▚" * 4 + "─" * 40


def test_a_process_without_room_for_its_parts_stays_one_stretch() -> None:
    """In a few cells, rounded parts would say more than is known."""
    gpu = make_gpu(memory_total_bytes=80 * GIB, memory_used_bytes=40 * GIB, memory_reserved_bytes=0)
    assert plain(memory_bar(gpu, [Holding(40 * GIB, 12 * GIB, GIB)], 6)) == "▇▇▇───"
    assert plain(memory_bar(gpu, [Holding(40 * GIB, 12 * GIB, GIB)], 20)) == "▇" * 7 + "▄" * 3 + "─" * 10


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2**37), st.integers(0, 2**37), st.integers(0, 2**37)), max_size=20),
    st.integers(0, 90),
)
def test_the_memory_bar_is_as_wide_as_asked(parts: list[tuple[int, int, int]], width: int) -> None:
    """Processes whose parts do not add up do not break it."""
    assert line_cells(memory_bar(make_gpu(), [Holding(*part) for part in parts], width)) == width


def test_a_small_process_on_a_large_card_is_seen() -> None:
    """One cell at least stands for what exists."""
    gpu = make_gpu(memory_total_bytes=80 * GIB, memory_used_bytes=200 * MIB, memory_reserved_bytes=0)
    assert plain(memory_bar(gpu, [Holding(200 * MIB)], 20)) == "▇" + "─" * 19

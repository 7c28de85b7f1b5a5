"""Bars and graphs: what is there is seen, what is not known looks unlike zero."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dstop.draw.bars import graph_rows, meter, stacked
from dstop.draw.line import line_cells, plain
from dstop.draw.memory_bar import memory_bar
from dstop.testing import make_gpu
from dstop.units import GIB, MIB

VALUES = st.lists(st.none() | st.floats(-10, 1e6), max_size=80)


@given(st.none() | st.floats(allow_nan=False), st.integers(0, 80))
def test_a_meter_is_as_wide_as_asked(share: float | None, width: int) -> None:
    """Shares out of range and unknown ones too."""
    assert line_cells(meter(share, width, "ok")) == width


@given(st.lists(st.floats(0, 1e12), min_size=1, max_size=20), st.floats(0, 1e12), st.integers(0, 80))
def test_a_stacked_bar_is_as_wide_as_asked(amounts: list[float], total: float, width: int) -> None:
    """Parts that do not add up to the whole do not break the bar."""
    assert line_cells(stacked([(amount, "x", "") for amount in amounts], total, width)) == width


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
    text = plain(memory_bar(gpu, [20 * GIB, 20 * GIB], 80))
    assert [text.count(char) for char in "▇▒░─"] == [40, 20, 8, 12]


def test_bookkeeping_is_not_shown_as_somebodys_memory() -> None:
    """A few megabytes that no process claims are not worth an alarming cell."""
    gpu = make_gpu(
        memory_total_bytes=80 * GIB, memory_used_bytes=20 * GIB + 100 * MIB, memory_reserved_bytes=0
    )
    assert "▒" not in plain(memory_bar(gpu, [20 * GIB], 80))


def test_a_small_process_on_a_large_card_is_seen() -> None:
    """One cell at least stands for what exists."""
    gpu = make_gpu(memory_total_bytes=80 * GIB, memory_used_bytes=200 * MIB, memory_reserved_bytes=0)
    assert plain(memory_bar(gpu, [200 * MIB], 20)) == "▇" + "─" * 19

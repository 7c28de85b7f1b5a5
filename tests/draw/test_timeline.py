"""The timeline: a stacked area under a line, with a cursor that one finds where one put it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.draw.category_bar import CHARS
from dstop.draw.line import line_cells, plain
from dstop.draw.ticks import span_text, top_and_step
from dstop.draw.timeline import (
    AXIS,
    FAILED,
    PEAK,
    STEP,
    Marks,
    column_of,
    graph_width,
    position_at,
    timeline_lines,
)
from dstop.model.study import CATEGORIES, Curve
from dstop.snapshot.study import DeviceStudy
from dstop.testing.build_snapshot import short_story
from dstop.units import GIB, MIB

SIZES = st.tuples(st.integers(1, 220), st.integers(1, 70))


def curve_of(*totals, reserved=0, category="activations", first=0):
    """Give a curve with a piece for each total."""
    count = len(totals)
    return Curve(
        first=first,
        last=first + count - 1,
        events=tuple(range(first, first + count)),
        time_us=tuple(1_000 * place for place in range(count)),
        live_bytes=totals,
        reserved_bytes=(reserved,) * count,
        shares=tuple(totals if name == category else (0,) * count for name in CATEGORIES),
    )


@st.composite
def curves(draw):
    """Give a curve of any pieces, some of several events, with any bytes in any category."""
    pieces = draw(st.integers(1, 25))
    first, each = draw(st.integers(0, 1000)), draw(st.integers(1, 9))
    shares = [draw(st.lists(st.integers(0, 1 << 42), min_size=pieces, max_size=pieces)) for _ in range(2)] + [
        [0] * pieces
    ] * (len(CATEGORIES) - 2)
    order = draw(st.permutations(shares))
    live = [sum(column) for column in zip(*order, strict=True)]
    return Curve(
        first=first,
        last=first + pieces * each - 1,
        events=tuple(first + place * each + draw(st.integers(0, each - 1)) for place in range(pieces)),
        time_us=tuple(sorted(draw(st.lists(st.integers(0, 1 << 50), min_size=pieces, max_size=pieces)))),
        live_bytes=tuple(live),
        reserved_bytes=tuple(draw(st.integers(0, 1 << 43)) for _ in range(pieces)),
        shares=tuple(tuple(values) for values in order),
    )


@given(curves(), SIZES, st.integers(0, 2000), st.booleans())
def test_the_picture_has_its_size_whatever_the_curve(curve, size, cursor, timed):
    """Every line has all its cells, for any terminal, any bytes and any times."""
    width, height = size
    marks = Marks(peak=cursor, failures=(curve.first,), steps=(3, curve.last), begin_us=0 if timed else None)
    lines = timeline_lines(curve, marks, cursor, width, height)
    assert len(lines) == height
    assert {line_cells(line) for line in lines} == {width}


@given(curves(), st.integers(AXIS + 2, 220))
def test_a_click_and_the_cursor_agree(curve, width):
    """Where one clicks the cursor goes, at most a piece's width to the left; and each position has one column."""
    for column in range(width):
        position = position_at(curve, column, width)
        if position is None:
            assert not AXIS <= column < AXIS + graph_width(width)
            continue
        found = column_of(curve, position, width)
        assert found is not None
        assert found <= column
        assert graph_width(width) < len(curve.events) or position_at(curve, found, width) == position
    columns = [column_of(curve, position, width) for position in range(curve.first, curve.last + 1)]
    assert all(before <= after for before, after in pairwise(columns))


def test_positions_out_of_sight_have_no_column():
    """Left and right of what a zoom shows."""
    curve = curve_of(1, 2, 3, first=10)
    assert column_of(curve, 9, 80) is None
    assert column_of(curve, 13, 80) is None
    assert column_of(curve, 10, 80) == AXIS


def test_a_full_column_reaches_the_top_of_its_value():
    """Half of the axis is half of the rows, in the category's character, under an even line."""
    lines = timeline_lines(curve_of(*[512 * MIB] * 40, reserved=GIB), Marks(peak=0, begin_us=0), 0, 49, 10)
    rows = [plain(line)[AXIS + 1 :] for line in lines[1:-1]]
    assert [row.count(CHARS["activations"]) for row in rows] == [0] * 4 + [39] * 4
    assert rows[0] == "─" * 39 + " "


def test_parts_are_stacked_in_the_order_of_the_categories():
    """Parameters lie at the bottom, what lives shortest at the top."""
    shares = tuple((100,) if name in {"parameters", "activations", "logits"} else (0,) for name in CATEGORIES)
    curve = Curve(
        first=0, last=0, events=(0,), time_us=(0,), live_bytes=(300,), reserved_bytes=(0,), shares=shares
    )
    column = [plain(line)[AXIS + 3] for line in timeline_lines(curve, Marks(peak=9), 9, 30, 40)][1:-1]
    assert "".join(dict.fromkeys(reversed(column)))[:3] == (
        CHARS["parameters"] + CHARS["activations"] + CHARS["logits"]
    )


def test_marks_stand_above_their_moments():
    """Peak, failure and step ends; a failure is also a line through what is empty."""
    curve = curve_of(*[10 * MIB] * 20, reserved=50 * MIB)
    lines = timeline_lines(curve, Marks(peak=3, failures=(12,), steps=(5, 15)), 19, AXIS + 21, 12)
    head = plain(lines[0])
    for sign, position in ((PEAK, 3), (FAILED, 12), (STEP, 5), (STEP, 15)):
        assert head[column_of(curve, position, AXIS + 21)] == sign
    assert "┊" in plain(lines[1])
    assert "│" in plain(lines[3])[AXIS:]


def test_steps_too_dense_to_be_told_apart_are_not_marked():
    """A zoom brings them back."""
    curve = curve_of(*[MIB] * 100)
    dense, sparse = tuple(range(0, 100, 2)), (20, 60)
    assert STEP not in plain(timeline_lines(curve, Marks(peak=0, steps=dense), 0, 109, 8)[0])
    assert plain(timeline_lines(curve, Marks(peak=0, steps=sparse), 0, 109, 8)[0]).count(STEP) == 2


def test_times_are_written_where_torch_says_them_and_events_otherwise():
    """No time is made up."""
    curve = curve_of(*[MIB] * 64)
    timed = plain(timeline_lines(curve, Marks(peak=0, begin_us=0), 5, 73, 8)[-1])
    untimed = plain(timeline_lines(curve, Marks(peak=0), 5, 73, 8)[-1])
    assert "16ms" in timed
    assert "#16" in untimed
    assert "ms" not in untimed


@given(st.integers(1, 1 << 50), st.integers(1, 80))
def test_an_axis_holds_its_highest_value_in_few_steps(high, rows):
    """Powers of two, at most ten labels, and not more than twice the room that is needed."""
    top, step = top_and_step(high, rows)
    assert top >= high
    assert top - high < step
    assert step & (step - 1) == 0
    assert top // step <= 10


@pytest.mark.parametrize(
    ("microseconds", "apart", "text"),
    [
        (0, 10, "0µs"), (840, 10, "840µs"), (3_210, 10, "3.21ms"), (45_000, 5_000, "45ms"),
        (2_310_000, 10_000, "2.31s"), (2_310_000, 300_000, "2.3s"), (187_000_000, 1_000_000, "3:07"),
        (187_123_456, 1, "187.123456s"),
    ],
)  # fmt: skip
def test_a_time_has_the_digits_that_tell_it_from_its_neighbour(microseconds, apart, text):
    """And no more."""
    assert span_text(microseconds, apart) == text


def test_a_real_curve_is_drawn_with_its_peak_highest():
    """From a snapshot to the screen: the peak's column is the highest of all."""
    study = DeviceStudy(short_story(), 0)
    lines = timeline_lines(study.curve(graph_width(100)), Marks(peak=study.peak), 0, 100, 20)
    columns = [sum(plain(line)[x] not in " ─│" for line in lines[1:-1]) for x in range(AXIS + 1, 99)]
    at = column_of(study.curve(graph_width(100)), study.peak, 100)
    assert columns[at - AXIS - 1] == max(columns)

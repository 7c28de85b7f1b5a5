"""The part of a recording that is in sight."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dstop.view.window import LEAST_EVENTS, window_of

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("at"), st.integers(-50, 3_000)),
        st.tuples(st.just("zoomed"), st.sampled_from([0.5, 2.0, 0.1, 10.0])),
        st.tuples(st.just("whole"), st.none()),
    ),
    max_size=30,
)


@given(st.integers(0, 2_500), st.integers(-10, 3_000), STEPS)
def test_the_cursor_is_always_in_sight_and_the_window_inside_the_recording(events, cursor, steps):
    """Whatever is pressed in whatever order."""
    window = window_of(events, cursor)
    for name, value in steps:
        window = window.whole() if name == "whole" else getattr(window, name)(value)
        assert 0 <= window.first <= window.cursor <= window.last <= events
        assert window.last - window.first >= min(events, LEAST_EVENTS)


def test_a_zoom_in_and_out_shows_everything_again():
    """And leaves the cursor where it was."""
    window = window_of(1_000, 700)
    near = window.zoomed(0.5)
    assert (near.last - near.first, near.cursor) == (500, 700)
    assert near.first == 350
    assert near.zoomed(2.0) == window
    assert not near.is_whole
    assert near.whole() == window


def test_a_cursor_that_leaves_takes_the_window_along():
    """With the same zoom, the cursor in its middle."""
    near = window_of(1_000, 100).zoomed(0.1)
    moved = near.at(900)
    assert (moved.first, moved.last, moved.cursor) == (850, 950, 900)

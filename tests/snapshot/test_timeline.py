"""Curves say at each position what adding up event by event says."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dstop.snapshot.lives import lives_of
from dstop.snapshot.timeline import alive_at, live_bytes, peak_event, reserved_bytes
from dstop.snapshot.values import Action, Snapshot
from dstop.testing.build_snapshot import (
    MIB,
    make_segment,
    make_snapshot,
    make_stacks,
    make_trace,
    short_story,
)

STEPS = st.lists(
    st.tuples(
        st.sampled_from([Action.ALLOC, Action.FREE_REQUESTED, Action.FREE_COMPLETED, Action.OOM]),
        st.integers(0, 5).map(lambda number: number << 20),
        st.integers(1, 1 << 40),
        st.integers(0, 3),
    ),
    max_size=40,
)


@given(STEPS)
def test_live_bytes_are_those_of_the_lives_that_are_alive(steps: list[Any]) -> None:
    """At every position, before the first event and after the last one too, and for sizes no card has."""
    lives = lives_of(make_snapshot(steps, [make_segment((512, True, 1), address=9 << 20)]), 0)
    live = live_bytes(lives)
    assert len(live) == len(steps) + 1
    assert live.tolist() == [int(lives.size[alive_at(lives, at)].sum()) for at in range(len(steps) + 1)]


@given(STEPS)
def test_the_peak_is_the_first_of_the_highest(steps: list[Any]) -> None:
    """No position has more, and none before it has as much."""
    live = live_bytes(lives_of(make_snapshot(steps), 0)).tolist()
    assert peak_event(np.array(live)) == live.index(max(live))


SEGMENT_STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                Action.SEGMENT_ALLOC,
                Action.SEGMENT_FREE,
                Action.SEGMENT_MAP,
                Action.SEGMENT_UNMAP,
                Action.ALLOC,
                Action.OOM,
            ]
        ),
        st.integers(0, 1 << 40),
        st.integers(0, 1 << 30),
        st.just(0),
    ),
    min_size=1,
    max_size=40,
)


@given(SEGMENT_STEPS, st.integers(1, 1 << 40))
def test_reserved_bytes_end_with_the_segments(steps: list[Any], held: int) -> None:
    """The last value is what the segments have; each segment event is a step of its size, and nothing else is one."""
    reserved = reserved_bytes(make_snapshot(steps, [make_segment((held, False, 0))]), 0).tolist()
    assert reserved[-1] == held
    for at, (action, _, size, _) in enumerate(steps):
        grown = reserved[at + 1] - reserved[at]
        if action in {Action.SEGMENT_ALLOC, Action.SEGMENT_MAP}:
            assert grown == size
        elif action in {Action.SEGMENT_FREE, Action.SEGMENT_UNMAP}:
            assert grown == -size
        else:
            assert grown == 0


def test_without_a_trace_there_is_one_position() -> None:
    """Segments alone: what is live and reserved now, and no past."""
    snapshot = make_snapshot([], [make_segment((MIB, True, 1), (3 * MIB, False, 0))])
    lives = lives_of(snapshot, 0)
    assert live_bytes(lives).tolist() == [MIB]
    assert reserved_bytes(snapshot, 0).tolist() == [4 * MIB]
    assert alive_at(lives, 0).tolist() == [0]


def test_curves_of_devices_are_their_own() -> None:
    """Each device counts its own events and segments; one that is unknown has nothing."""
    grow = [(Action.SEGMENT_ALLOC, 0, 2 * MIB, 0), (Action.ALLOC, 0, MIB, 1)]
    snapshot = Snapshot(
        segments=tuple(make_segment((MIB, True, 1), (MIB, False, 0), device=device) for device in (0, 3)),
        traces=(make_trace(grow), make_trace(grow[1:], device=3)),
        stacks=make_stacks(),
    )
    assert [live_bytes(lives_of(snapshot, device)).tolist() for device in (0, 3, 5)] == [
        [0, 0, MIB],
        [0, MIB],
        [0],
    ]
    assert reserved_bytes(snapshot, 0).tolist() == [0, 2 * MIB, 2 * MIB]
    assert reserved_bytes(snapshot, 3).tolist() == [2 * MIB, 2 * MIB]
    assert reserved_bytes(snapshot, 5).tolist() == [0]


def test_a_story_is_followed_to_its_teeth() -> None:
    """Weights of 24 MiB, and five activations of 4 MiB on top at the highest moment."""
    live = live_bytes(lives_of(short_story(), 0))
    assert int(live.max()) == (24 + 5 * 4) * MIB
    assert live[peak_event(live)] == live.max()

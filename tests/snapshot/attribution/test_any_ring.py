"""Whatever a ring holds, attribution answers, in the shapes that it promises."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.model.study import CATEGORIES, CONFIDENCES, PHASES
from dstop.snapshot.study import DeviceStudy
from dstop.snapshot.values import Action
from dstop.testing.build_snapshot import make_segment, make_snapshot
from tests.snapshot.attribution.story import NUMBER, STACKS, UNIT

_EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            (Action.ALLOC, Action.ALLOC, Action.FREE_REQUESTED, Action.FREE_COMPLETED, Action.OOM)
        ),
        st.integers(0, 12),
        st.sampled_from((1, 2, 3, 32)),
        st.integers(0, len(STACKS) - 1),
    ),
    max_size=120,
)


@settings(max_examples=300, deadline=None)
@given(events=_EVENTS, blocks=st.lists(st.tuples(st.booleans(), st.integers(0, len(NUMBER) - 1)), max_size=6))
def test_any_ring(events: list[tuple[Action, int, int, int]], blocks: list[tuple[bool, int]]) -> None:
    """One row a life; numbers within their tables; steps rise, within the ring; growth has its steps and is sorted."""
    steps = [(action, at << 30, size * UNIT, stack) for action, at, size, stack in events]
    segment = make_segment(*((2 * UNIT, used, stack) for used, stack in blocks))
    study = DeviceStudy(make_snapshot(steps, (segment,), stacks=tuple(STACKS.values())), 0)
    told = study.attribution
    assert len(told.category) == len(told.confidence) == len(told.phase) == len(study.lives)
    assert np.all((told.category >= 0) & (told.category < len(CATEGORIES)))
    assert np.all((told.confidence >= 0) & (told.confidence < CONFIDENCES.index("exact")))
    assert np.all((told.phase >= 0) & (told.phase < len(PHASES)))
    assert list(told.steps) == sorted(set(told.steps))
    assert all(0 < at <= study.events for at in told.steps)
    rates = [each.per_step_bytes for each in study.growth]
    assert rates == sorted(rates, reverse=True)
    assert all(rate > 0 for rate in rates)

"""A study answers in plain values that agree with each other: moments, curves, sites, failures."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.model.study import CATEGORIES
from dstop.snapshot.study import DeviceStudy, studies_of
from dstop.snapshot.values import Action, Snapshot
from dstop.testing.build_snapshot import (
    MIB,
    PLACES,
    USER,
    make_segment,
    make_snapshot,
    make_stacks,
    make_trace,
    short_story,
)

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [Action.ALLOC, Action.FREE_REQUESTED, Action.FREE_COMPLETED, Action.SEGMENT_ALLOC, Action.OOM]
        ),
        st.integers(0, 5).map(lambda number: number << 20),
        st.integers(1, 1 << 20),
        st.integers(0, len(PLACES) - 1),
    ),
    max_size=40,
)


@given(STEPS, st.integers(-5, 60))
def test_a_moment_adds_up(steps: list[Any], position: int) -> None:
    """Categories and sites each come to what is live, whatever the ring holds and wherever one looks."""
    study = DeviceStudy(make_snapshot(steps, [make_segment((4096, True, 2), address=9 << 20)]), 0)
    moment = study.moment(position, sites=1000)
    assert moment.event == max(0, min(position, len(steps)))
    assert sum(share.size_bytes for share in moment.shares) == moment.live_bytes
    assert sum(site.size_bytes for site in moment.sites) == moment.live_bytes
    assert sum(share.blocks for share in moment.shares) == sum(site.blocks for site in moment.sites)
    assert 0 <= moment.static_bytes <= moment.live_bytes
    assert all(share.exact_bytes + share.likely_bytes <= share.size_bytes for share in moment.shares)
    sizes = [site.size_bytes for site in moment.sites]
    assert sizes == sorted(sizes, reverse=True)


@given(STEPS, st.integers(-3, 70), st.integers(-5, 60), st.none() | st.integers(-5, 60))
def test_a_curve_has_the_highest_moment_of_each_piece(
    steps: list[Any], pieces: int, first: int, last: int | None
) -> None:
    """The pieces cover the range without a gap, so the highest of the curve is the highest of the range."""
    study = DeviceStudy(make_snapshot(steps), 0)
    curve = study.curve(pieces, first, last)
    assert 0 <= curve.first <= curve.last <= len(steps)
    assert list(curve.events) == sorted(set(curve.events))
    assert curve.first <= curve.events[0]
    assert curve.events[-1] <= curve.last
    assert max(curve.live_bytes) == int(study.live[curve.first : curve.last + 1].max())
    assert list(curve.live_bytes) == study.live[list(curve.events)].tolist()
    assert len(curve.shares) == len(CATEGORIES)
    assert [sum(column) for column in zip(*curve.shares, strict=True)] == list(curve.live_bytes)


def test_the_peak_of_a_story_names_who_asked() -> None:
    """Weights come first; the own line of a site is the user's, not the library's that asked for him."""
    study = DeviceStudy(short_story(), 0)
    moment = study.moment(study.peak, sites=2)
    assert moment.live_bytes == 44 * MIB
    assert [site.size_bytes // MIB for site in moment.sites] == [24, 12]
    assert moment.sites[1].own == USER
    assert moment.sites[1].places == PLACES[1]


@pytest.mark.parametrize("most", [-1, 0, 1, 3])
def test_no_more_sites_than_were_asked_for(most: int) -> None:
    """Also none, and nothing for a number that makes no sense."""
    study = DeviceStudy(short_story(), 0)
    assert len(study.moment(study.peak, sites=most).sites) == max(0, most)


def test_a_failure_has_the_moment_before_it() -> None:
    """What was asked for, what the driver had, what was live and reserved, and whose line it was."""
    snapshot = short_story(fails=True)
    study = DeviceStudy(snapshot, 0)
    (failure,) = study.failures
    assert failure.event == study.events - 1
    assert (failure.request_bytes, failure.device_free_bytes) == (512 * MIB, 7 * MIB)
    assert failure.live_bytes == study.moment(failure.event).live_bytes
    assert failure.reserved_bytes == 128 * MIB
    assert failure.own == USER
    assert failure.time_us == study.time_us(failure.event + 1)


def test_without_a_trace_there_is_only_now() -> None:
    """Segments alone: one moment without a time, all of it static, no failures and nothing that grows."""
    study = DeviceStudy(make_snapshot([], [make_segment((MIB, True, 2), (MIB, False, 0))]), 0)
    moment = study.moment(study.peak)
    assert (moment.event, moment.time_us, moment.step, moment.phase) == (0, None, None, "other")
    assert (moment.live_bytes, moment.static_bytes, moment.reserved_bytes) == (MIB, MIB, 2 * MIB)
    assert study.failures == ()
    assert study.growth == ()
    assert study.curve(100).live_bytes == (MIB,)


def test_old_torch_says_no_times() -> None:
    """Before 2.1 events have no clock: a moment has no time rather than the year 1970."""
    study = DeviceStudy(make_snapshot([(Action.ALLOC, 0, MIB, 1)], begin_us=0), 0)
    assert study.moment(1).time_us is None
    assert study.curve(1).time_us == (0,)


def test_each_device_has_its_study() -> None:
    """Devices that have segments or events, by number, each with its own peak; an empty snapshot has none."""
    snapshot = Snapshot(
        segments=(make_segment((MIB, True, 1), device=4),),
        traces=(make_trace([(Action.ALLOC, 0, 2 * MIB, 1)], device=1),),
        stacks=make_stacks(),
    )
    found = {study.device: study.moment(study.peak).live_bytes for study in studies_of(snapshot)}
    assert found == {1: 2 * MIB, 4: MIB}
    assert studies_of(make_snapshot()) == ()

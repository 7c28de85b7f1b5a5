"""What pages remember from one reading to the next: counts that only grow, and the age of the figures."""

from __future__ import annotations

from dstop.export.metrics.moment import Tally
from dstop.model.event import Event, EventKind
from dstop.testing import make_frame, make_sample

from .pages import moment


def events(*numbers):
    """Give so many Xids of cards."""
    return tuple(Event(at_ns=n, kind=EventKind.XID, text="Xid", gpu_index=n % 2) for n in numbers)


def test_an_event_that_frames_repeat_is_counted_once():
    """A frame carries all recent events; those that the one before had are known."""
    tally, log = Tally(), events(0, 1, 2)
    assert tally.add(make_frame(events=log[:2])).xids == {0: 1, 1: 1}
    assert tally.add(make_frame(events=log)).xids == {0: 2, 1: 1}
    assert tally.add(make_frame(events=log)).events == {EventKind.XID: 3}
    assert tally.add(make_frame(events=())).events == {EventKind.XID: 3}


def test_a_log_that_has_moved_on_is_counted_as_it_is():
    """When the last event has been pushed out, all that is there is new."""
    tally = Tally()
    tally.add(make_frame(events=events(0)))
    assert tally.add(make_frame(events=events(1, 2, 3))).events[EventKind.XID] == 4


def test_a_slow_interval_is_not_called_old():
    """Figures of a minute ago are new where one reading a minute was asked for."""
    assert moment(make_sample(1, 0), age_s=70.0, step_s=60.0).is_fresh
    assert not moment(make_sample(1, 0), age_s=70.0, step_s=1.0).is_fresh

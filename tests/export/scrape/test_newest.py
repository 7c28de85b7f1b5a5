"""The newest reading: whole, of one moment, and older with every second that nothing comes."""

from __future__ import annotations

from itertools import count

import pytest

from dstop.errors import SourceError
from dstop.export.scrape.newest import Newest
from dstop.monitor import Monitor
from dstop.testing import FakeSource, make_sample


def newest_of(*steps, clock=None):
    """Give what keeps the newest of these steps."""
    monitor = Monitor(FakeSource(steps), interval_s=1.0, capacity=5)
    ticks = count()
    return Newest(monitor, most_processes=7, monotonic=clock or (lambda: float(next(ticks))))


def test_nothing_is_told_before_the_first_reading():
    """An error, which is a failed scrape, and not an empty machine."""
    with pytest.raises(SourceError):
        newest_of(make_sample(1, 0)).moment()


def test_a_moment_has_the_reading_its_cost_and_its_age():
    """By a clock that ticks once a look: read at 0, there at 1, asked for at 2."""
    newest = newest_of(make_sample(1, 2))
    frame = newest.step(patience_s=0.1)
    moment = newest.moment()
    assert moment.frame is frame
    assert (moment.read_s, moment.age_s, moment.most_processes) == (1.0, 1.0, 7)
    assert moment.cpu_s > 0
    assert newest.moment().age_s == 2.0


def test_a_driver_that_goes_is_no_fresh_reading():
    """The last sample is kept for its names; the moment says that it is not of now."""
    newest = newest_of(
        make_sample(1, 2), SourceError("gone", fix="wait"), make_sample(1, 2), clock=lambda: 5.0
    )
    newest.step(patience_s=0.1)
    assert newest.moment().is_fresh
    newest.step(patience_s=0.1)
    assert not newest.moment().is_fresh
    newest.step(patience_s=0.1)
    assert newest.moment().is_fresh

"""Moments by word, number and time; what is none, or is not there, is an error that says what there is."""

from __future__ import annotations

import pytest

from dstop.errors import UsageError
from dstop.snapshot.position import position_of
from dstop.snapshot.study import DeviceStudy
from dstop.testing.build_snapshot import make_segment, make_snapshot, short_story
from dstop.units import MIB

STUDY = DeviceStudy(short_story(fails=True), 0)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("peak", STUDY.peak),
        (" Peak ", STUDY.peak),
        ("end", STUDY.events),
        ("oom", STUDY.events - 1),
        ("0", 0),
        ("#12", 12),
        ("1,2", 12),
        ("0ms", 1),
        ("1ms", 3),
        ("+1ms", 3),
        ("1000us", 3),
        ("0.001s", 3),
    ],
)
def test_a_moment_is_found(text, position):
    """Events are half a millisecond apart: after one millisecond three have happened."""
    assert position_of(STUDY, text) == position


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("yesterday", "is no moment"),
        ("", "is no moment"),
        ("-3", "is no moment"),
        ("1e3", "is no moment"),
        ("\x1b[2J", "is no moment"),
        ("900", "has 64 events, and none is number 900"),
        ("1m", "the recording ends 0.0"),
    ],
    ids=["word", "nothing", "negative", "exponent", "escape", "beyond", "too-late"],
)
def test_what_is_no_moment_is_said(text, says):
    """Usage errors, with the next step."""
    with pytest.raises(UsageError, match=says) as raised:
        position_of(STUDY, text)
    assert raised.value.fix


def test_without_a_failure_there_is_no_oom():
    """The error names the device, and what else to ask for."""
    with pytest.raises(UsageError, match="nothing ran out of memory"):
        position_of(DeviceStudy(short_story(), 0), "oom")


def test_without_times_a_time_is_refused():
    """Neither a ring without clock nor a snapshot without ring has times."""
    study = DeviceStudy(make_snapshot((), [make_segment((MIB, True, 1))]), 0)
    with pytest.raises(UsageError, match="have no times"):
        position_of(study, "1s")

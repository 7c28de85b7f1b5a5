"""Recordings of made-up machines, for the tests of the replay."""

from __future__ import annotations

import pytest

from dstop.monitor import Monitor
from dstop.sources.demo.guests import DemoGuests
from dstop.sources.demo.source import DemoSource
from dstop.sources.replay.writer import RecordingWriter
from dstop.testing import FakeSource


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        """Give them."""
        return self.now_s


def _demo_monitor(clock, **options):
    """Give a monitor of the demo whose story goes by a clock."""
    source = DemoSource(clock, **options)
    return Monitor(source, interval_s=1.0, guests=DemoGuests(source))


def _recorded(path, monitor, steps, clock=None, *, step_s=1.0, append=False):
    """Record so many steps of a monitor; gives the frames as the faces had them."""
    writer = RecordingWriter(str(path), step_s=step_s, append=append)
    frames = []
    for _ in range(steps):
        frames.append(monitor.step())
        writer.add(frames[-1])
        if clock is not None:
            clock.now_s += step_s
    writer.close()
    return frames


@pytest.fixture
def clock():
    """A clock that stands."""
    return Clock()


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The demo, recorded for four minutes, and the frames that its monitor gave."""
    path = tmp_path_factory.mktemp("replay") / "demo.dstop"
    clock = Clock()
    return path, _recorded(path, _demo_monitor(clock), 240, clock)


@pytest.fixture
def record(tmp_path):
    """Record the steps that a source plays, a second apart."""

    def of(*steps, name="made.dstop", append=False):
        path = tmp_path / name
        _recorded(path, Monitor(FakeSource(steps), interval_s=1.0), len(steps), append=append)
        return path

    return of

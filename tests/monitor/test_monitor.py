"""The Monitor over sources that behave, fail and come back."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from dstop.errors import SourceError
from dstop.model.event import EventKind
from dstop.monitor import Monitor
from dstop.monitor.cost import CostMeter, resident_bytes
from dstop.monitor.loop import MOST_EVENTS

GONE = SourceError("the driver does not answer", fix="reload the nvidia module")


def test_a_step_is_a_frame_with_the_sample(build, script):
    """A Frame has the sample, its step, no problem and what dstop costs."""
    sample = build.sample(1, gpus=[build.gpu(utilization_gpu_pct=50)])
    frame = Monitor(script(sample), interval_s=2.0).step()
    assert frame.sample is sample
    assert (frame.step_s, frame.problem, frame.events) == (2.0, None, ())
    assert frame.history[0].utilization_pct == (50,)


def test_a_driver_that_never_answered_is_an_error(script):
    """With nothing to show, the error is raised, and the next step tries again."""
    monitor = Monitor(script(GONE, GONE), interval_s=1.0)
    for _ in range(2):
        with pytest.raises(SourceError, match="does not answer"):
            monitor.step()


def test_a_driver_that_goes_leaves_the_last_sample_and_the_reason(build, script):
    """The last figures stay in sight, under a problem that says since when."""
    first = build.sample(1)
    clock = iter([100, 5_000_000_100])
    second = SourceError("driver mismatch", fix="reboot")
    monitor = Monitor(
        script(first, GONE, second, build.sample(9)), interval_s=1.0, now_ns=lambda: next(clock)
    )
    monitor.step()
    frame = monitor.step()
    assert frame.sample is first
    assert (frame.problem.message, frame.problem.fix) == (GONE.message, GONE.fix)
    frame = monitor.step()
    assert (frame.problem.message, frame.problem.since_ns) == ("driver mismatch", 100)
    frame = monitor.step()
    assert frame.problem is None
    assert [event.kind for event in frame.events] == [EventKind.DRIVER_GONE, EventKind.DRIVER_BACK]
    assert frame.events[-1].text == "figures come again after 5s"
    assert len(frame.history[0].utilization_pct) == 4


def test_processes_that_ended_while_the_driver_was_away_are_told(build, script):
    """What is compared is the last sample with the next, however long that took."""
    monitor = Monitor(script(build.sample(1, rows=[build.row(7)]), GONE, build.sample(9)), interval_s=1.0)
    frames = [monitor.step() for _ in range(3)]
    assert EventKind.PROCESS_ENDED in [event.kind for event in frames[-1].events]


def test_a_bug_is_not_taken_for_a_driver_that_is_gone(build, script):
    """Only a SourceError is a problem to live with: anything else is a bug and comes out."""
    source = script(build.sample(1))
    monitor = Monitor(source, interval_s=1.0)
    monitor.step()
    with pytest.raises(IndexError):
        monitor.step()


def test_a_frame_carries_the_histories_that_were_asked_for(build, script):
    """Histories of processes are given for those being watched, and for no others."""
    rows = [build.row(1), build.row(2)]
    monitor = Monitor(script(*[build.sample(at, rows=rows) for at in range(3)]), interval_s=1.0)
    assert monitor.step().watched == {}
    monitor.watch_process([rows[1].key])
    assert set(monitor.step().watched) == {rows[1].key}
    assert monitor.step().watched[rows[1].key].gpu_memory_bytes == (2**30,) * 3


def test_it_passes_on_what_the_screen_wants(build, script):
    """Patience, costly fields and closing reach the source."""
    source = script(build.sample())
    monitor = Monitor(source, interval_s=1.0)
    monitor.step(patience_s=5.0)
    monitor.watch(frozenset({"pcie"}))
    monitor.close()
    assert (source.patience, source.watched, source.closed) == ([5.0], {"pcie"}, 1)


def test_its_own_cost_is_a_share_of_one_core():
    """Half a second of CPU in two seconds is 25 percent; no time at all gives no figure."""
    cpu, clock = iter([1.0, 1.5, 1.5]), iter([10.0, 12.0, 12.0])
    meter = CostMeter(cpu=lambda: next(cpu), resident=lambda: 1000, monotonic=lambda: next(clock))
    cost = meter.since_last()
    assert (cost.cpu_pct, cost.rss_bytes) == (25.0, 1000)
    assert meter.since_last() is None


def test_a_key_that_asks_for_a_reading_makes_no_cost():
    """Two readings a moment apart show the last share, and what was used in between is part of the next."""
    cpu, clock = iter([0.0, 0.2, 0.25, 0.45]), iter([0.0, 1.0, 1.01, 2.0])
    meter = CostMeter(cpu=lambda: next(cpu), resident=lambda: 1000, monotonic=lambda: next(clock))
    assert [meter.since_last().cpu_pct for _ in range(3)] == pytest.approx([20, 20, 25])


def test_its_own_memory_is_plausible():
    """This Python takes more than a megabyte and less than the machine."""
    assert 2**20 < resident_bytes() < 2**40


class Churn:
    """A machine where every step ends some processes and starts others, and a GPU comes and goes."""

    def __init__(self, build):
        self.build, self.at = build, 0

    def read(self, *, patience_s=0.5):
        """Give the next moment, or fail now and then."""
        del patience_s
        self.at += 1
        at, build = self.at, self.build
        if at % 97 == 50:
            raise GONE
        rows = [build.row(at + slot, gpu=slot % 2, command=f"job-{at + slot}") for slot in range(6)]
        reasons = ("power_cap",) if at % 40 < 10 else ()
        gpus = [
            build.gpu(index, utilization_gpu_pct=at % 100, throttle_reasons=reasons) for index in range(2)
        ]
        return build.sample(at, gpus=gpus if at % 11 else gpus[:1], rows=rows)

    def close(self):
        """Nothing is open."""

    def watch(self, fields):
        """Nothing is costly."""


def test_ten_thousand_steps_take_no_more_memory_than_two_thousand(build):
    """A monitor may run for weeks: what it remembers is bounded, whatever comes and goes."""
    monitor = Monitor(Churn(build), interval_s=1.0, capacity=60)
    tracemalloc.start()
    try:
        sizes = []
        for step in range(1, 10_001):
            frame = monitor.step()
            if step in {2_000, 10_000}:
                gc.collect()
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert len(frame.events) == MOST_EVENTS
    assert sizes[1] - sizes[0] < 100_000

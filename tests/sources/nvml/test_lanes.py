"""Threads that outlive a call that hangs. Time is made by events, not by waiting."""

from __future__ import annotations

import threading
from threading import Event, get_ident

import pytest

from dstop.sources.nvml import lanes as lanes_module
from dstop.sources.nvml.lanes import Lanes

FOREVER_S = 30.0


class TwinJob:
    """A job that blocks while its gate is shut, and remembers who did it."""

    def __init__(self, *, open_gate: bool = True) -> None:
        self.gate = Event()
        if open_gate:
            self.gate.set()
        self.prompts = 0
        self.lingers = 0
        self.threads: set[int] = set()
        self.inside = 0
        self.overlapped = False
        self.lingered = Event()
        self.error: Exception | None = None

    def prompt(self):
        """Wait at the gate, and count."""
        self.inside += 1
        self.overlapped |= self.inside > 1
        self.threads.add(get_ident())
        self.gate.wait(FOREVER_S)
        if self.error is not None:
            raise self.error
        self.prompts += 1
        self.inside -= 1

    def linger(self):
        """Count."""
        self.lingers += 1
        self.lingered.set()


@pytest.fixture
def lanes():
    """Give a function that makes lanes, which are stopped after the test."""
    made: list[Lanes] = []

    def make(jobs):
        made.append(Lanes(jobs))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def test_one_thread_reads_all_while_they_answer(lanes):
    """Eight quick jobs are done by one thread, each once a pass."""
    jobs = [TwinJob() for _ in range(8)]
    served = lanes(jobs)
    for _ in range(3):
        assert served.run(FOREVER_S) == frozenset()
    assert [job.prompts for job in jobs] == [3] * 8
    assert len(set.union(*(job.threads for job in jobs))) == 1
    assert served.count == 1


def test_one_that_hangs_does_not_stop_the_others(lanes):
    """The pass in which a job hangs still brings all others, and so do the next."""
    jobs = [TwinJob(), TwinJob(open_gate=False), TwinJob(), TwinJob()]
    served = lanes(jobs)
    for number in (1, 2, 3):
        assert served.run(0.6) == {id(jobs[1])}
        assert [job.prompts for job in jobs] == [number, 0, number, number]
    jobs[1].gate.set()


def test_it_heals_by_itself_when_the_call_returns(lanes):
    """Once the call comes back the job takes part in the next pass, and was never done twice at once."""
    jobs = [TwinJob(open_gate=False), TwinJob()]
    served = lanes(jobs)
    served.run(0.05)
    served.run(0.05)
    jobs[0].gate.set()
    assert served.run(FOREVER_S) == frozenset()
    assert not any(job.overlapped for job in jobs)
    assert jobs[0].prompts >= 1


def test_quick_again_for_long_enough_is_one_thread_again(lanes, monkeypatch):
    """After the hang is over the lanes fold back into one."""
    monkeypatch.setattr(lanes_module, "FOLD_AFTER_S", 0.0)
    monkeypatch.setattr(lanes_module, "FOLD_BELOW_S", FOREVER_S)
    jobs = [TwinJob(open_gate=False), TwinJob(), TwinJob()]
    served = lanes(jobs)
    served.run(0.05)
    assert served.count == 3
    for job in jobs:
        job.gate.set()
    served.run(FOREVER_S)
    for _ in range(1000):
        served.run(FOREVER_S)
        if served.count == 1:
            break
    assert served.count == 1
    assert served.run(FOREVER_S) == frozenset()
    assert not any(job.overlapped for job in jobs)


def test_what_takes_long_comes_after_all_that_is_waited_for(lanes):
    """The long parts are done after the pass, and every job gets its turn."""
    jobs = [TwinJob() for _ in range(3)]
    served = lanes(jobs)
    served.run(FOREVER_S)
    for job in jobs:
        assert job.lingered.wait(FOREVER_S)


def test_long_parts_are_left_out_when_nobody_looks(lanes):
    """A pass without them does the prompt parts alone."""
    job = TwinJob()
    served = lanes([job])
    for _ in range(5):
        served.run(FOREVER_S, linger=False)
    assert (job.prompts, job.lingers) == (5, 0)


def test_a_bug_in_a_job_is_raised_where_the_pass_is_waited_for(lanes):
    """An exception does not die with its thread while old figures stay on the screen."""
    job = TwinJob()
    job.error = ZeroDivisionError("ours")
    served = lanes([TwinJob(), job])
    with pytest.raises(ZeroDivisionError, match="ours"):
        served.run(FOREVER_S)


def test_stop_wakes_who_waits_and_joins_nobody(lanes):
    """A pass over a job that hangs ends when another thread stops the lanes."""
    job = TwinJob(open_gate=False)
    served = lanes([job])
    late: list[frozenset[int]] = []
    reader = threading.Thread(target=lambda: late.append(served.run(FOREVER_S)))
    reader.start()
    served.stop()
    reader.join(FOREVER_S)
    assert not reader.is_alive()
    job.gate.set()


def test_a_job_that_is_new_is_done_from_the_next_pass(lanes):
    """A GPU that came is read; one that was taken out is not any more."""
    first, second = TwinJob(), TwinJob()
    served = lanes([first])
    served.run(FOREVER_S)
    served.assign([second])
    served.run(FOREVER_S)
    assert (first.prompts, second.prompts) == (1, 1)


def test_lanes_are_daemons(lanes):
    """A call that never returns does not keep the program from ending."""
    job = TwinJob(open_gate=False)
    lanes([job]).run(0.01)
    threads = [thread for thread in threading.enumerate() if thread.name == "dstop-nvml"]
    assert threads
    assert all(thread.daemon for thread in threads)
    job.gate.set()

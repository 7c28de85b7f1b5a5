"""What is told between two samples, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.model.event import EventKind
from dstop.model.gpu import Gpu, Xid
from dstop.model.host import Host
from dstop.model.process import GpuProcess, ProcessFacts
from dstop.model.sample import Sample
from dstop.model.xid import XID_MEANINGS, xid_meaning
from dstop.monitor.events import events_between


def _texts(before, after):
    return [event.text for event in events_between(before, after)]


def test_a_process_that_starts_is_told_with_its_owner(build):
    """A new row is one line with name, PID, user and GPU, and knows its time."""
    after = build.sample(5, rows=[build.row(42, command="train.py", user="ada")])
    (event,) = events_between(build.sample(4), after)
    assert event.text == "train.py (42, ada) started on GPU 0"
    assert (event.kind, event.gpu_index, event.pid, event.at_ns) == (
        EventKind.PROCESS_STARTED,
        0,
        42,
        5_000_000_000,
    )


def test_a_process_that_ends_is_told_with_what_it_held(build):
    """A row that is gone says how much memory came free."""
    before = build.sample(4, rows=[build.row(42, command="train.py", user="ada", memory=20 * 2**30)])
    (event,) = events_between(before, build.sample(5))
    assert event.text == "train.py (42, ada) ended on GPU 0, it held 20.0G"
    assert event.kind is EventKind.PROCESS_ENDED


def test_memory_that_was_not_known_is_not_told_as_nothing(build):
    """A process without a memory figure ends without a figure, not with 0."""
    assert _texts(build.sample(rows=[build.row(42, memory=None)]), build.sample()) == [
        "process (42) ended on GPU 0"
    ]


def test_a_process_on_many_gpus_is_one_line(build):
    """Eight rows of one process are one event, with the memory of all, and no single GPU."""
    gpus = [build.gpu(index) for index in range(10)]
    rows = [build.row(7, gpu=index, command="vllm") for index in (0, 1, 2, 5, 9)]
    (event,) = events_between(build.sample(gpus=gpus, rows=rows), build.sample(gpus=gpus))
    assert event.text == "vllm (7) ended on GPUs 0-2 5 9, it held 5.0G"
    assert event.gpu_index is None
    assert event.pid == 7


def test_the_next_comer_of_a_pid_is_another_process(build):
    """When the kernel gives a PID again, one process has ended and another has started."""
    before = build.sample(rows=[build.row(7, started=1.0)])
    after = build.sample(rows=[build.row(7, started=2.0)])
    assert [event.kind for event in events_between(before, after)] == [
        EventKind.PROCESS_ENDED,
        EventKind.PROCESS_STARTED,
    ]


@pytest.mark.parametrize(("was", "is_now"), [(None, 5.0), (5.0, None)])
def test_a_start_time_that_comes_or_goes_is_no_event(build, was, is_now):
    """A process does not end because its start time could not be read once."""
    assert (
        _texts(
            build.sample(rows=[build.row(7, started=was)]), build.sample(rows=[build.row(7, started=is_now)])
        )
        == []
    )


def test_eight_ranks_are_eight_lines_and_nine_are_one(build):
    """Up to eight processes of a job are told one by one; more are one line with their sum."""
    ranks = [build.row(100 + rank, command="train.py", user="ada", job="run-7") for rank in range(9)]
    assert len(_texts(build.sample(), build.sample(rows=ranks[:8]))) == 8
    assert _texts(build.sample(), build.sample(rows=ranks)) == ["9 x train.py, ada started on GPU 0"]
    assert _texts(build.sample(rows=ranks), build.sample()) == [
        "9 x train.py, ada ended on GPU 0, it held 9.0G"
    ]


def test_jobs_are_not_mixed(build):
    """Nine processes of nine jobs are nine lines, even when they look alike."""
    rows = [build.row(100 + job, command="train.py", user="ada", job=f"run-{job}") for job in range(9)]
    assert len(_texts(build.sample(), build.sample(rows=rows))) == 9


def test_processes_without_a_job_are_joined_by_user_and_command(build):
    """A burst of the same command of one user is one line, though nobody calls it a job."""
    rows = [build.row(100 + number, command="worker", user="ada") for number in range(20)]
    assert _texts(build.sample(), build.sample(rows=rows)) == ["20 x worker, ada started on GPU 0"]


def test_a_hostile_name_cannot_move_the_cursor(build):
    """Control characters in a command are not in the log, and a long one is cut."""
    (text,) = _texts(build.sample(), build.sample(rows=[build.row(7, command="\x1b[2J" + "x" * 500)]))
    assert text.isprintable()
    assert len(text) < 90


def test_processes_of_a_lost_gpu_have_not_ended(build):
    """A card that falls off the bus takes its rows with it: that is one event, and not one per process."""
    rows = [build.row(pid) for pid in range(1, 5)]
    after = build.sample(gpus=[build.gpu(fault="GPU is lost")])
    assert _texts(build.sample(rows=rows), after) == ["GPU 0 is lost: GPU is lost"]
    assert _texts(after, build.sample(rows=rows)) == ["GPU 0 answers again"]


@pytest.mark.parametrize(
    "silent",
    [{"stale_s": 1.0}, {"unavailable": {"processes": "no permission"}}],
    ids=["slow", "list not readable"],
)
def test_processes_of_a_silent_gpu_have_not_ended(build, silent):
    """When the list of processes did not come, nothing is said of processes."""
    assert _texts(build.sample(rows=[build.row()]), build.sample(gpus=[build.gpu(**silent)])) == []


def test_a_gpu_that_does_not_answer_is_told_once(build):
    """Staleness is told when it passes three seconds, not at every step, and so is its end."""
    fresh, slow, stale, older = (build.sample(gpus=[build.gpu(stale_s=age)]) for age in (0.0, 2.0, 4.0, 5.0))
    assert _texts(fresh, slow) == []
    assert _texts(slow, stale) == ["GPU 0 has not answered for 4 s"]
    assert _texts(stale, older) == []
    assert _texts(older, fresh) == ["GPU 0 answers again"]


def test_a_gpu_may_leave_and_join_the_list(build):
    """A card that is listed no more is lost, and one that is new has appeared."""
    one, two = build.sample(), build.sample(gpus=[build.gpu(0), build.gpu(1)])
    assert _texts(two, one) == ["GPU 1 is no longer listed"]
    assert _texts(one, two) == ["GPU 1 has appeared"]


def test_a_lost_gpu_is_lost_once(build):
    """A fault that stays is told when it begins."""
    lost = build.sample(gpus=[build.gpu(fault="GPU is lost")])
    assert _texts(lost, lost) == []


def test_an_xid_is_told_in_plain_words_and_once(build):
    """An Xid has its own time and its meaning; the next sample, which still carries it, is silent."""
    after = build.sample(9, gpus=[build.gpu(xids=(Xid(code=79, at_ns=8),))])
    (event,) = events_between(build.sample(), after)
    assert event.text == "GPU 0 reported Xid 79: the GPU has fallen off the bus; only a reboot brings it back"
    assert (event.kind, event.at_ns) == (EventKind.XID, 8)
    assert _texts(after, after) == []


def test_the_first_sample_tells_xids_alone(build):
    """What was there before dstop looked is no event; an Xid happened while it looked."""
    first = build.sample(
        gpus=[build.gpu(xids=(Xid(code=31, at_ns=8),), ecc_uncorrected=3)], rows=[build.row()]
    )
    assert [event.kind for event in events_between(None, first)] == [EventKind.XID]


def test_the_same_xid_twice_is_told_twice(build):
    """A second Xid of the same number at another time is another event."""
    once = build.sample(gpus=[build.gpu(xids=(Xid(code=13, at_ns=1),))])
    twice = build.sample(gpus=[build.gpu(xids=(Xid(code=13, at_ns=1), Xid(code=13, at_ns=2)))])
    assert len(_texts(once, twice)) == 1


def test_every_well_known_xid_has_words_and_a_strange_one_says_where_to_look():
    """The numbers that servers meet are in the table; another one is not made up."""
    wanted = {13, 31, 32, 43, 45, 48, 61, 62, 63, 64, 68, 69, 74, 79, 92, 94, 95, 119, 120, 121}
    assert wanted == set(XID_MEANINGS)
    assert xid_meaning(99999) == "see NVIDIA's Xid catalog"


def test_only_a_rise_of_known_ecc_counts_is_told(build):
    """A count that comes, goes or falls (a driver reload) is no new memory error."""

    def at(count):
        return build.sample(gpus=[build.gpu(ecc_uncorrected=count)])

    assert _texts(at(1), at(4)) == [
        "GPU 0 has 3 more uncorrectable memory errors (4 since the driver was loaded)"
    ]
    assert [_texts(at(old), at(new)) for old, new in [(None, 4), (4, None), (4, 0), (4, 4)]] == [
        [],
        [],
        [],
        [],
    ]


def test_a_row_remap_is_told_when_it_becomes_pending_or_fails(build):
    """Pending and failed remaps are told at their beginning, and not when they become known."""

    def at(**values):
        return build.sample(gpus=[build.gpu(**values)])

    assert "next reset" in _texts(at(remapped_rows_pending=False), at(remapped_rows_pending=True))[0]
    assert _texts(at(), at(remapped_rows_pending=True)) == []
    assert "replaced" in _texts(at(remapped_rows_failed=False), at(remapped_rows_failed=True))[0]


_PIDS = st.integers(1, 6)
_ROWS = st.lists(
    st.builds(
        lambda pid, gpu, started: GpuProcess(
            gpu_index=gpu, pid=pid, facts=ProcessFacts(pid=pid, started_at_s=started)
        ),
        _PIDS,
        st.integers(0, 2),
        st.sampled_from([1.0, 2.0, None]),
    ),
    max_size=8,
)
_GPUS = st.lists(
    st.builds(
        Gpu,
        index=st.integers(0, 2),
        fault=st.none() | st.just("lost"),
        stale_s=st.sampled_from([0.0, 1.0, 5.0]),
        ecc_uncorrected=st.none() | st.integers(0, 3),
    ),
    max_size=3,
    unique_by=lambda gpu: gpu.index,
)
_SAMPLES = st.builds(
    lambda gpus, rows: Sample(taken_at_ns=1, host=Host(name="n"), gpus=tuple(gpus), processes=tuple(rows)),
    _GPUS,
    _ROWS,
)


@given(_SAMPLES)
def test_nothing_happens_between_a_sample_and_itself(sample):
    """The same sample twice has no event, whatever is in it."""
    assert events_between(sample, sample) == ()


@given(_SAMPLES, _SAMPLES)
def test_any_two_samples_tell_a_bounded_printable_story(before, after):
    """There are at most a few events per GPU and one or two per row, each one line."""
    events = events_between(before, after)
    rows, gpus = len(before.processes) + len(after.processes), len(before.gpus) + len(after.gpus)
    assert len(events) <= rows + 2 * gpus
    assert all(event.text.isprintable() for event in events)

"""The laws of the data catch what breaks them: each bad sample here is a bug that some monitor has had."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dstop.errors import SourceError
from dstop.model.allocator import Allocator
from dstop.model.gpu import MigInstance
from dstop.model.unattributed import Unattributed
from dstop.testing import (
    FakeSource,
    broken_laws,
    check_sample,
    check_source,
    make_allocator,
    make_gpu,
    make_process,
    make_sample,
)
from dstop.units import GIB

ONE = make_sample(1, 1)


def with_gpu(**overrides: object):
    """Give a machine of one card with these figures and no processes."""
    return make_sample([make_gpu(**overrides)], 0)


def with_row(**overrides: object):
    """Give a machine of one card with one such process."""
    return replace(ONE, processes=(make_process(**overrides),))


BAD = {
    "memory above the card": (with_gpu(memory_used_bytes=2**44), "above the total"),
    "memory that does not add up": (with_gpu(memory_free_bytes=GIB), "differ from the total"),
    "-1 for nothing": (with_gpu(fan_pct=-1), "below zero"),
    "NaN for nothing": (with_gpu(utilization_gpu_pct=float("nan")), "is nan"),
    "N/A for nothing": (with_gpu(name="N/A"), "where None and a reason belong"),
    "utilisation above the whole": (with_gpu(utilization_gpu_pct=101), "above 100"),
    "power in microwatts": (with_gpu(power_mw=612_000_000), "above what it can be"),
    "a temperature sentinel": (with_gpu(temperature_c=2**31 - 1), "above what it can be"),
    "None without a reason": (
        replace(ONE, gpus=(replace(ONE.gpus[0], power_mw=None),)),
        "power_mw is None without a reason",
    ),
    "a reason beside a value": (with_gpu(unavailable={"power_mw": "not supported"}), "a reason not to have"),
    "an unknown throttle reason": (with_gpu(throttle_reasons=("tired",)), "not one of THROTTLE_REASONS"),
    "escapes in a name": (with_gpu(name="\x1b[31mH100"), "control characters"),
    "escapes in a command line": (with_row(cmdline=("python", "a\nb")), "control characters"),
    "a tombstone without a word": (with_gpu(fault=" "), "says what happened"),
    "instances with MIG off": (
        with_gpu(mig=(MigInstance(gpu_instance_id=1, compute_instance_id=0),)),
        "no instances",
    ),
    "an instance that does not add up": (
        with_gpu(
            mig_enabled=True,
            mig=(
                MigInstance(
                    gpu_instance_id=1,
                    compute_instance_id=0,
                    memory_total_bytes=20 * GIB,
                    memory_used_bytes=GIB,
                    memory_free_bytes=GIB,
                ),
            ),
        ),
        "instance 1",
    ),
    "cards out of order": (make_sample([make_gpu(1), make_gpu(0)], 0), "index order"),
    "a card twice": (make_sample([make_gpu(0), make_gpu(0)], 0), "index order"),
    "a row twice": (replace(ONE, processes=(make_process(), make_process())), "once per"),
    "a row on no card": (with_row(gpu_index=5), "its GPU is in the sample"),
    "a process bigger than what is used": (with_row(gpu_memory_bytes=79 * GIB), "claim"),
    "PID 0": (with_row(pid=0), "above 0"),
    "a start in the future": (with_row(started_at_s=4e9), "started before"),
    "a type that is none": (with_row(type="X"), "type 'X'"),
    "a state that is no letter": (with_row(state="running"), "the kernel's letter"),
    "a nameless process without a reason": (
        replace(
            ONE,
            processes=(replace(make_process(), facts=replace(make_process().facts, command=None)),),
        ),
        "command is None",
    ),
    "an allocator with more in use than it has": (
        replace(ONE, processes=(replace(make_process(), allocator=make_allocator(active_bytes=90 * GIB)),)),
        "allocator: active_bytes",
    ),
    "an allocator without a word": (
        replace(ONE, processes=(replace(make_process(), allocator=Allocator(index=0)),)),
        "reserved_bytes is None without a reason",
    ),
    "too busy a chip": (
        replace(ONE, processes=tuple(make_process(0, pid, gpu_memory_bytes=0) for pid in (1, 2))),
        "busy",
    ),
    "unattributed beside a silent process": (
        replace(
            with_row(gpu_memory_bytes=None),
            unattributed=(Unattributed(gpu_index=0, bytes=GIB, cause="who knows"),),
        ),
        "has no figure",
    ),
    "an empty label": (replace(ONE, simulated=" "), "in words"),
    "a notice with escapes": (replace(ONE, notices=("\x1b[2J",)), "control characters"),
    "a host below zero": (
        replace(ONE, host=replace(ONE.host, memory_used_bytes=-1)),
        "host memory_used_bytes",
    ),
    "a host without a name": (replace(ONE, host=replace(ONE.host, name="")), "the host has a name"),
}


@pytest.mark.parametrize("name", BAD)
def test_each_law_is_enforced(name: str):
    """A sample with one such bug is caught, by a sentence that names it."""
    sample, says = BAD[name]
    assert any(says in line for line in broken_laws(sample)), broken_laws(sample)
    with pytest.raises(AssertionError) as caught:
        check_sample(sample)
    assert says in str(caught.value)


def test_a_whole_sample_breaks_none():
    """What the builders give is lawful at every size."""
    for gpus, rows in ((0, 0), (1, 0), (1, 1), (8, 8), (16, 3)):
        assert broken_laws(make_sample(gpus, rows)) == []


def test_a_tombstone_needs_no_figures():
    """A lost card says why once, not once a field."""
    lost = make_gpu(fault="GPU is lost", memory_used_bytes=None, memory_free_bytes=None)
    assert broken_laws(make_sample([lost], 0)) == []


def test_unified_memory_may_hold_more_than_it_says():
    """On a card that shares the host's memory the sums are the host's, and no law is broken."""
    card = make_gpu(unified_memory=True, memory_used_bytes=30 * GIB, memory_free_bytes=2 * GIB)
    assert broken_laws(make_sample([card], 0)) == []


def test_time_and_counters_go_forward():
    """A later sample that is older, or whose energy fell, is caught."""
    later = replace(ONE, taken_at_ns=ONE.taken_at_ns - 1, gpus=(replace(ONE.gpus[0], energy_mj=5),))
    broken = broken_laws(later, before=ONE)
    assert any("not older" in line for line in broken)
    assert any("energy counter fell" in line for line in broken)


def test_check_source_reports_every_broken_law():
    """The message holds a line for each law, so that one run shows them all."""
    bad = with_gpu(fan_pct=-1, temperature_c=999)
    with pytest.raises(AssertionError) as caught:
        check_source(FakeSource([ONE, bad]), reads=2)
    assert len(str(caught.value).splitlines()) == 2
    check_source(FakeSource([ONE, bad]), reads=1)


def test_check_source_lets_a_source_error_through():
    """A source that cannot be read is not a source that lies."""
    with pytest.raises(SourceError):
        check_source(FakeSource([SourceError("no driver")]))

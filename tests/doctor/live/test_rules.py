"""Every live rule, where it speaks, and where what looks alike leaves it silent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dstop.doctor.live import (
    cache_flushes,
    caught_oom,
    fragmented,
    full_card,
    hardware,
    heavy_rank,
    host_memory,
    idle_contexts,
    idle_rank,
    nccl_wait,
    throttled,
    unattributed,
    unused_gpu,
)
from dstop.model.allocator import AllocatorHistory
from dstop.model.event import Event, EventKind
from dstop.model.frame import GpuHistory
from dstop.model.gpu import MigInstance, Xid
from dstop.model.unattributed import Unattributed
from dstop.testing.build import TAKEN_AT_S, make_gpu, make_process, make_sample
from dstop.testing.build_footprint import make_expectation
from dstop.testing.build_guest import make_allocator, make_guest
from dstop.units import GIB, MIB

USABLE = (81559 - 597) * MIB


def _full(free=200 * MIB, **values):
    return make_gpu(memory_used_bytes=USABLE - free, **values)


def _ranks(count, memory=lambda _: 40 * GIB, sm=lambda _: 95, **facts):
    return [
        make_process(
            rank,
            5000 + rank,
            gpu_memory_bytes=memory(rank),
            sm_pct=sm(rank),
            rank=rank,
            world_size=8,
            job="torchrun:4711",
            **facts,
        )
        for rank in range(count)
    ]


def _guested(**device):
    row = make_process(0, 4000, gpu_memory_bytes=70 * GIB, allocator=make_allocator(**device))
    return row, {row.id: make_guest(4000)}


# ---- DS250: a full card -----------------------------------------------------------------------------------------


def test_a_card_with_little_left_is_told_with_who_has_it(scene):
    """What is left, and the biggest holder, are the proof; it is over when that one ends."""
    (found,) = full_card.watch(scene([_full()], [make_process(0, 4000, gpu_memory_bytes=70 * GIB)]))
    assert (found.rule, found.badge, str(found.severity)) == ("DS250", "FULL 200M", "warning")
    assert (found.gpu_index, found.pid) == (0, 4000)
    assert any("train.py (4000) holds 70.0G" in one.says for one in found.evidence)


def test_a_cache_that_serves_the_next_request_makes_it_a_note(scene):
    """PyTorch asks its own cache first; one that has already been emptied has shown that it does not suffice."""
    row, guests = _guested(reserved_bytes=60 * GIB)
    (found,) = full_card.watch(scene([_full()], [row], guests=guests))
    assert str(found.severity) == "note"
    row, guests = _guested(reserved_bytes=60 * GIB, num_alloc_retries=1)
    (found,) = full_card.watch(scene([_full()], [row], guests=guests))
    assert str(found.severity) == "warning"


@pytest.mark.parametrize(
    "gpu",
    [
        _full(free=3 * GIB),
        make_gpu(),
        _full(mig_enabled=True),
        _full(fault="GPU is lost"),
        _full(stale_s=9.0),
    ],
    ids=["some left", "half full", "cut into slices", "lost", "stale"],
)
def test_a_card_with_room_or_without_figures_is_not_full(scene, gpu):
    """What is not known is not said."""
    assert full_card.watch(scene([gpu], [make_process()])) == []


def test_who_takes_its_share_at_the_start_is_left_out(scene):
    """An engine fills the card on purpose."""
    assert full_card.watch(scene([_full()], [make_process(framework="vllm")])) == []


# ---- DS251, DS252, DS201: what a hook tells ---------------------------------------------------------------------


def _past(**series):
    return {4000: {0: AllocatorHistory(**series)}}


def test_flushes_that_rise_are_told(scene):
    """Each is a request that did not fit; three are grave."""
    row, guests = _guested(num_alloc_retries=5)
    past = _past(num_alloc_retries=(2.0, None, 3.0, 5.0))
    (found,) = cache_flushes.watch(scene(1, [row], guests=guests, inside=past))
    assert (found.badge, str(found.severity)) == ("FLUSH 3x", "critical")


@pytest.mark.parametrize("series", [(), (5.0,), (5.0, 5.0), (None, 5.0), (9.0, 5.0)])
def test_flushes_of_before_are_not(scene, series):
    """What was counted before dstop looked, or by a counter that began anew, is no news."""
    row, guests = _guested(num_alloc_retries=5)
    assert cache_flushes.watch(scene(1, [row], guests=guests, inside=_past(num_alloc_retries=series))) == []


def _oom(seconds_ago=10, pid=4000):
    at = int((TAKEN_AT_S - seconds_ago) * 1e9)
    return Event(at_ns=at, kind=EventKind.OUT_OF_MEMORY, text="out of memory", pid=pid)


def test_an_error_that_was_survived_is_told(scene):
    """The process is still there, so somebody caught it."""
    row, guests = _guested(num_ooms=2)
    (found,) = caught_oom.watch(scene(1, [row], guests=guests, events=(_oom(),)))
    assert found.badge == "OOM 2x"
    assert "2 times and goes on" in found.says


@pytest.mark.parametrize("event", [_oom(seconds_ago=900), _oom(pid=1)], ids=["long ago", "somebody else"])
def test_an_error_of_another_time_or_process_is_not(scene, event):
    """Only this process, only lately."""
    row, guests = _guested(num_ooms=2)
    assert caught_oom.watch(scene(1, [row], guests=guests, events=(event,))) == []


def _idle_past(least_gib, readings=40):
    reserved = (70.0 * GIB,) * readings
    active = tuple(70.0 * GIB - least_gib * GIB - (step % 7) * GIB for step in range(readings))
    return _past(reserved_bytes=reserved, active_bytes=active)


def test_a_cache_that_nobody_uses_on_a_full_card_is_told(scene):
    """At its very peak the program leaves a fifth and more of its reserve idle."""
    row, guests = _guested(reserved_bytes=70 * GIB, active_bytes=50 * GIB)
    shown = scene([_full(free=2 * GIB)], [row], guests=guests, inside=_idle_past(16))
    (found,) = fragmented.watch(shown)
    assert (found.rule, found.badge) == ("DS201", "FRAG 16.0G")
    assert found.fixes[0].command == "export PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True"


@pytest.mark.parametrize(
    ("free", "past"),
    [
        (30 * GIB, _idle_past(16)),
        (2 * GIB, _idle_past(1)),
        (2 * GIB, _idle_past(16, readings=10)),
        (2 * GIB, {}),
    ],
    ids=["room on the card", "used at its peak", "seen too briefly", "nothing known"],
)
def test_a_cache_that_is_needed_or_hurts_nobody_is_not(scene, free, past):
    """Between two steps every cache is large."""
    row, guests = _guested(reserved_bytes=70 * GIB, active_bytes=50 * GIB)
    assert fragmented.watch(scene([_full(free=free)], [row], guests=guests, inside=past)) == []


# ---- DS401, DS450, DS451: others --------------------------------------------------------------------------------


def _lost(count):
    return replace(
        make_sample([make_gpu()], 0),
        unattributed=(Unattributed(gpu_index=0, bytes=count, cause="leaked by a crash"),),
    )


def test_memory_of_nobody_is_told_with_its_likeliest_cause(scene):
    """A tenth of the card is a warning, less a note, bookkeeping nothing."""
    (found,) = unattributed.watch(scene(sample=_lost(12 * GIB)))
    assert (found.badge, str(found.severity)) == ("WHO? 12.0G", "warning")
    assert found.says.endswith("leaked by a crash")
    (found,) = unattributed.watch(scene(sample=_lost(2 * GIB)))
    assert str(found.severity) == "note"
    assert unattributed.watch(scene(sample=_lost(300 * MIB))) == []


def test_processes_that_rest_are_told_together(scene):
    """Two at 0 % for a minute, with a gigabyte between them."""
    rows = [make_process(0, pid, sm_pct=0, gpu_memory_bytes=GIB) for pid in (1, 2)]
    (found,) = idle_contexts.watch(scene(1, rows, sm={1: (0.0,) * 60, 2: (0.0,) * 60}))
    assert found.badge == "IDLE 2.0G"
    assert found.fixes[0].command == "kill 1 2"
    assert idle_contexts.watch(scene(1, rows, sm={1: (0.0,) * 60, 2: (0.0,) * 59 + (3.0,)})) == []
    assert idle_contexts.watch(scene(1, rows, sm={1: (0.0,) * 30, 2: (0.0,) * 30})) == []


def _used(*values):
    return {0: GpuHistory(utilization_pct=values)}


def test_a_card_that_is_held_and_not_used_is_a_note(scene):
    """Four minutes without a kernel, with a gigabyte held."""
    idle, rows = make_gpu(utilization_gpu_pct=0), [make_process()]
    (found,) = unused_gpu.watch(scene([idle], rows, history=_used(*(0.0,) * 250)))
    assert (found.badge, str(found.severity)) == ("UNUSED", "note")
    assert "has been idle for 4:10 while 10.0G of it is held" in found.says
    assert unused_gpu.watch(scene([idle], rows, history=_used(*(0.0,) * 200))) == []
    assert unused_gpu.watch(scene([idle], rows, history=_used(*(0.0,) * 100, 50.0, *(0.0,) * 150))) == []
    assert unused_gpu.watch(scene([idle], [], history=_used(*(0.0,) * 250))) == []


# ---- DS650, DS651, DS652: ranks ---------------------------------------------------------------------------------


def test_a_rank_that_is_heavier_than_its_peers_is_named(scene):
    """More than a tenth and a gigabyte above the median."""
    (found,) = heavy_rank.watch(scene(8, _ranks(8, lambda rank: (48 if rank == 3 else 40) * GIB)))
    assert (found.badge, found.pid) == ("RANK +8.0G", 5003)
    assert "rank 3" in found.says


def test_a_rank_is_judged_by_what_its_own_stage_should_take(scene):
    """The first stage of a pipeline may hold more, and a middle one that holds as much may not."""
    due = [60 * GIB, *(40 * GIB for _ in range(6)), 48 * GIB]
    held = [61 * GIB, *(41 * GIB for _ in range(6)), 49 * GIB]
    rows = [
        replace(row, expectation=make_expectation(should - GIB, should, should + GIB, live=has))
        for row, should, has in zip(_ranks(8, lambda rank: held[rank]), due, held, strict=True)
    ]
    assert heavy_rank.watch(scene(8, rows)) == []
    rows[3] = replace(rows[3], gpu_memory_bytes=49 * GIB)
    (found,) = heavy_rank.watch(scene(8, rows))
    assert (found.badge, found.pid) == ("RANK +8.0G", 5003)
    rows[5] = replace(rows[5], expectation=None)
    (found,) = heavy_rank.watch(scene(8, rows))
    assert found.pid == 5000


@pytest.mark.parametrize(
    "rows",
    [
        _ranks(8, lambda rank: 40 * GIB + rank * 300 * MIB),
        _ranks(2, lambda rank: (60 if rank else 40) * GIB),
        _ranks(8, lambda rank: GIB + (rank == 3) * 600 * MIB),
        [replace(row, gpu_memory_bytes=None) for row in _ranks(8)],
    ],
    ids=["alike", "only two", "little", "unknown"],
)
def test_ranks_that_are_alike_are_not(scene, rows):
    """Some blocks more or less are nothing, and of two nobody is the odd one."""
    assert heavy_rank.watch(scene(8, rows)) == []


def test_a_rank_that_rests_while_its_peers_work_is_named(scene):
    """Far below and far above: not the bubble of a pipeline."""
    (found,) = idle_rank.watch(scene(8, _ranks(8, sm=lambda rank: 0 if rank == 5 else 97)))
    assert (found.badge, found.pid) == ("IDLE RANK", 5005)
    assert idle_rank.watch(scene(8, _ranks(8, sm=lambda rank: 0 if rank < 5 else 97))) == []
    assert idle_rank.watch(scene(8, _ranks(8, sm=lambda rank: 30 if rank == 5 else 97))) == []


def _cool(count=8, **values):
    return [make_gpu(index, utilization_gpu_pct=100, power_mw=170_000, **values) for index in range(count)]


def test_ranks_that_spin_are_waiting_for_the_one_that_is_gone(scene):
    """Fully busy at a quarter of the power, and rank 3 is not there."""
    rows = [row for row in _ranks(8) if row.facts.rank != 3]
    (found,) = nccl_wait.watch(scene(_cool(), rows))
    assert (found.badge, found.cause) == ("NCCL WAIT", "nccl_timeout")
    assert (
        found.says == "7 ranks of torchrun:4711 are busy at 24 % of their power: they wait in NCCL for rank 3"
    )


def test_ranks_that_spin_wait_for_the_one_that_does_something_else(scene):
    """The one that is here and not spinning is the one to look at."""
    gpus = [replace(gpu, utilization_gpu_pct=0) if gpu.index == 5 else gpu for gpu in _cool()]
    (found,) = nccl_wait.watch(scene(gpus, _ranks(8)))
    assert found.says.endswith("wait in NCCL for rank 5")


@pytest.mark.parametrize(
    "gpus",
    [
        [make_gpu(index) for index in range(8)],
        [make_gpu(index, utilization_gpu_pct=60, power_mw=170_000) for index in range(8)],
        [*_cool(4), *(make_gpu(index) for index in range(4, 8))],
        [make_gpu(index, utilization_gpu_pct=100, power_mw=None) for index in range(8)],
    ],
    ids=["they work", "half idle", "half of them", "no power figure"],
)
def test_ranks_that_work_are_not_waiting(scene, gpus):
    """Heat is work."""
    assert nccl_wait.watch(scene(gpus, _ranks(8))) == []


# ---- DS750, DS850 to DS853: the machine -------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "severity"), [(0.96, "warning"), (0.99, "critical"), (0.9, None)])
def test_host_memory_that_runs_out_is_told(scene, share, severity):
    """The kernel kills at the end of it."""
    sample = make_sample(1, 1)
    host = replace(sample.host, memory_used_bytes=int(share * sample.host.memory_total_bytes))
    found = host_memory.watch(scene(sample=replace(sample, host=host)))
    assert [str(one.severity) for one in found] == ([] if severity is None else [severity])
    if found:
        assert found[0].badge == f"RAM {share:.0%}"
        assert any("train.py (4000) has 9.0G" in one.says for one in found[0].evidence)


def test_heat_is_told_and_the_power_limit_is_not(scene):
    """At its power limit is where a card that works well is."""
    (found,) = throttled.watch(
        scene([make_gpu(throttle_reasons=("power_cap", "hw_thermal"), clock_sm_mhz=1200)])
    )
    assert found.badge == "HOT"
    assert any(one.says == "1200 of 1980 MHz" for one in found.evidence)
    assert throttled.watch(scene([make_gpu(throttle_reasons=("power_cap", "idle"))])) == []
    assert throttled.watch(scene([make_gpu(throttle_reasons=None)])) == []


@pytest.mark.parametrize(
    ("values", "rule", "badge"),
    [
        ({"ecc_uncorrected": 3}, "DS851", "ECC 3"),
        ({"remapped_rows_pending": True}, "DS851", "ROW REMAP"),
        ({"remapped_rows_failed": True, "ecc_uncorrected": 3}, "DS851", "REMAP FAIL"),
        ({"xids": (Xid(code=31, at_ns=1), Xid(code=79, at_ns=2))}, "DS852", "XID 79"),
        ({"fault": "GPU is lost"}, "DS853", "LOST"),
        ({"stale_s": 12.4}, "DS853", "STALE 12s"),
    ],
)
def test_trouble_with_a_card_is_told(scene, values, rule, badge):
    """One finding of the one kind."""
    shown = scene([make_gpu(2, **values)])
    found = [*hardware.watch_memory(shown), *hardware.watch_xids(shown), *hardware.watch_reach(shown)]
    assert [(one.rule, one.badge, one.gpu_index) for one in found] == [(rule, badge, 2)]
    assert found[0].fixes[0].command.endswith("dmesg | grep -i xid")


def test_a_card_that_is_well_is_left_alone(scene):
    """No finding on a machine without trouble."""
    shown = scene(8, _ranks(8))
    rules = (
        full_card,
        cache_flushes,
        caught_oom,
        fragmented,
        unattributed,
        idle_contexts,
        unused_gpu,
        heavy_rank,
    )
    rest = (idle_rank, nccl_wait, host_memory, throttled)
    assert [rule.watch(shown) for rule in (*rules, *rest)] == [[]] * 12
    assert hardware.watch_memory(shown) == hardware.watch_xids(shown) == hardware.watch_reach(shown) == []


def test_room_is_that_of_the_slice(scene):
    """A process on a MIG instance has its instance, not the card."""
    part = MigInstance(gpu_instance_id=2, compute_instance_id=0, memory_free_bytes=5 * GIB)
    row = make_process(gpu_instance_id=2)
    assert scene([make_gpu(mig=(part,))], [row]).room_of(row) == 5 * GIB
    assert scene([make_gpu()], [make_process(1)]).room_of(make_process(1)) is None

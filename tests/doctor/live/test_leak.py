"""The leak that is seen coming, and growth that is none."""

from __future__ import annotations

import pytest

from dstop.doctor.live.leak import watch
from dstop.model.allocator import AllocatorHistory
from dstop.model.frame import GpuHistory
from dstop.testing.build import TAKEN_AT_S, make_gpu, make_process
from dstop.testing.build_guest import make_allocator
from dstop.units import GIB, MIB

COUNT = 120
RAMP = tuple(40 * GIB + step * 50.0 * MIB for step in range(COUNT))
FILLING = {0: GpuHistory(memory_pct=tuple(50 + step / 20 for step in range(COUNT)))}


def _row(**values):
    return make_process(0, 4000, gpu_memory_bytes=int(RAMP[-1]), **values)


def test_a_process_that_grows_is_told_with_the_minutes_that_are_left(scene):
    """50 MiB a second into 30 GiB are ten minutes."""
    gpu = make_gpu(memory_free_bytes=30 * GIB)
    (found,) = watch(scene([gpu], [_row()], memory={4000: RAMP}, history=FILLING))
    assert (found.rule, found.cause, found.badge, found.pid) == ("DS301", "leak", "LEAK 10m", 4000)
    assert found.says == (
        "train.py (4000) grows by 2.9G a minute, steadily for 2:00: GPU 0 is full in 10 min"
    )
    assert found.evidence[0].value == pytest.approx(120 * 50 * MIB, rel=0.01)


@pytest.mark.parametrize(
    ("free", "badge", "severity"),
    [(2 * GIB, "LEAK <1m", "critical"), (90 * GIB, "LEAK 31m", "warning"), (200 * GIB, None, None)],
)
def test_how_soon_it_is_full_decides_how_grave_it_is(scene, free, badge, severity):
    """Ten minutes are grave; an hour is more than two minutes of readings can say."""
    found = watch(scene([make_gpu(memory_free_bytes=free)], [_row()], memory={4000: RAMP}, history=FILLING))
    assert [(one.badge, str(one.severity)) for one in found] == ([] if badge is None else [(badge, severity)])


def test_a_slow_leak_is_seen_in_the_long_series(scene):
    """A process that gains 20 MiB in half a minute fills its card within hours."""
    slow = tuple(40 * GIB + step * 20.0 * MIB for step in range(COUNT))
    used = tuple(50 + step / 20 for step in range(COUNT))
    shown = scene(
        [make_gpu(memory_free_bytes=4 * GIB)],
        [_row()],
        long_used_of=lambda _: used,
        long_memory_of=lambda _: slow,
        memory={4000: (slow[-1],) * COUNT},
    )
    (found,) = watch(shown)
    assert found.badge == "LEAK 2h"
    assert "2.3G an hour, steadily for 1h00m" in found.says


def test_who_loads_is_not_leaking(scene):
    """A young process whose growth made all it has, or one that copies and computes nothing, is at its start."""
    memory = {4000: RAMP}
    young = _row(started_at_s=float(TAKEN_AT_S - 580))
    assert watch(scene(1, [young], memory=memory, history=FILLING)) == []
    idle = {4000: (1.0,) * COUNT}
    assert watch(scene(1, [_row()], memory=memory, history=FILLING, sm=idle)) == []
    quick = _row(started_at_s=float(TAKEN_AT_S - 300))
    assert len(watch(scene(1, [quick], memory=memory, history=FILLING, sm={4000: (97.0,) * COUNT}))) == 1


def test_a_cache_that_grows_round_tensors_that_stay_is_not_a_leak(scene):
    """What the hook tells of the allocator decides."""
    row = _row(allocator=make_allocator())
    flat = {
        4000: {
            0: AllocatorHistory(allocated_bytes=tuple(30.0 * GIB + step % 6 * GIB for step in range(COUNT)))
        }
    }
    assert watch(scene(1, [row], memory={4000: RAMP}, history=FILLING, inside=flat)) == []
    rising = {4000: {0: AllocatorHistory(allocated_bytes=tuple(value - 8 * GIB for value in RAMP))}}
    assert len(watch(scene(1, [row], memory={4000: RAMP}, history=FILLING, inside=rising))) == 1


def test_only_cards_that_fill_are_looked_at(scene):
    """On a card whose memory stays as it is nobody's series is even read."""
    level = {0: GpuHistory(memory_pct=(50.0,) * COUNT)}

    def never(_):
        raise AssertionError

    shown = scene(1, [_row()], history=level)
    assert watch(type(shown)(sample=shown.sample, history=level, memory_of=never)) == []

"""The demo as a source: labelled, deterministic, lawful at every size, and light."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.sources import LAZY_FIELDS
from dstop.sources.demo import EPOCH_S, SIMULATED, DemoSource
from dstop.testing import check_sample, check_source
from dstop.units import MIB

TIMES = [second * 0.48 for second in range(500)]


@pytest.mark.parametrize("gpus", range(1, 17))
def test_the_laws_hold_all_the_way_round(gpus: int):
    """At 500 moments of the loop, with one to sixteen cards, no law of the data is broken."""
    source = DemoSource(lambda: 0.0, gpus=gpus)
    before = None
    for at in TIMES:
        sample = source.sample_at(at)
        check_sample(sample, before=before)
        assert sample.simulated == SIMULATED
        assert [gpu.index for gpu in sample.gpus] == list(range(gpus))
        before = sample


@pytest.mark.parametrize("gpus", [1, 2, 3, 8, 64])
@pytest.mark.parametrize(("mig", "broken"), [(True, False), (False, True), (True, True)])
def test_the_laws_hold_for_odd_machines(gpus: int, mig: bool, broken: bool):
    """MIG, a lost card and a driver of few words break no law either, watched or not."""
    source = DemoSource(lambda: 0.0, gpus=gpus, mig=mig, broken=broken)
    for watched in (frozenset(), LAZY_FIELDS):
        source.watch(watched)
        for at in TIMES[::25]:
            check_sample(source.sample_at(at))


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1e7), st.integers(0, 2**40), st.sampled_from((0.1, 1.0, 7.5, 100.0)))
def test_any_moment_any_seed_any_speed(seconds: float, seed: int, speed: float):
    """There is no moment, no seed and no speed at which the demo breaks a law or its label is missing."""
    sample = DemoSource(lambda: 0.0, seed=seed, gpus=4, speed=speed).sample_at(seconds)
    check_sample(sample)
    assert sample.simulated == "simulated: no hardware behind these numbers"


def test_before_the_beginning_there_is_the_beginning():
    """A clock that is set back below 0 gives the first moment, not a program that has yet to start."""
    source = DemoSource(lambda: -200_000.0)
    assert source.read() == source.sample_at(0)


def test_check_source_reads_it_like_any_other():
    """The check for plugin authors passes on a demo whose clock runs."""
    ticks = iter(range(100))
    check_source(DemoSource(lambda: next(ticks)), reads=20)


def test_the_same_moment_gives_the_same_sample():
    """Two sources agree on every moment, in whatever order they are asked."""
    one, other = DemoSource(lambda: 0.0), DemoSource(lambda: 0.0)
    forward = [one.sample_at(at) for at in TIMES[::10]]
    backward = [other.sample_at(at) for at in reversed(TIMES[::10])]
    assert forward == backward[::-1]


def test_another_seed_is_another_machine_with_the_same_story():
    """UUIDs and figures differ between seeds, while the job runs out of memory all the same."""
    one, other = (DemoSource(lambda: 0.0, seed=seed).sample_at(149.5) for seed in (0, 1))
    assert {gpu.uuid for gpu in one.gpus}.isdisjoint(gpu.uuid for gpu in other.gpus)
    assert [gpu.power_mw for gpu in one.gpus] != [gpu.power_mw for gpu in other.gpus]
    assert all(sample.gpus[3].memory_free_bytes < 64 * MIB for sample in (one, other))


@pytest.mark.parametrize("options", [{}, {"mig": True}, {"gpus": 1}, {"gpus": 2}, {"gpus": 16}])
def test_the_arithmetic_adds_up_exactly(options: dict[str, int]):
    """Used is the processes, what nobody owns and the driver's few mebibytes; free is the rest."""
    source = DemoSource(lambda: 0.0, **options)
    for at in TIMES[::5]:
        sample = source.sample_at(at)
        for gpu in sample.gpus:
            owned = sum(row.gpu_memory_bytes for row in sample.processes if row.gpu_index == gpu.index)
            unowned = sum(row.bytes for row in sample.unattributed if row.gpu_index == gpu.index)
            assert gpu.memory_used_bytes - owned - unowned in {0, 6 * MIB}
            left = gpu.memory_total_bytes - gpu.memory_reserved_bytes - gpu.memory_used_bytes
            assert gpu.memory_free_bytes == left
            assert left >= 0
            assert gpu.power_mw <= gpu.power_limit_mw


@pytest.mark.parametrize("gpus", [1, 2, 3, 4, 6, 8, 16])
def test_at_every_size_one_rank_and_only_one_fills_its_card(gpus: int):
    """The crash happens with any number of cards, and on one of them alone."""
    sample = DemoSource(lambda: 0.0, gpus=gpus).sample_at(149.5)
    assert sum(gpu.memory_free_bytes < 64 * MIB for gpu in sample.gpus) == 1


def test_links_and_activity_come_only_while_somebody_looks():
    """Unwatched they are None with the reason; watched they are figures, and only those asked for."""
    source = DemoSource(lambda: 30.0)
    unwatched = source.read().gpus[0]
    assert unwatched.pcie_tx_bytes_s is unwatched.nvlink_rx_bytes_s is unwatched.activity is None
    assert unwatched.unavailable["pcie_tx_bytes_s"] == "read only while shown"
    source.watch({"nvlink", "activity", "something else"})
    watched = source.read().gpus[0]
    assert watched.nvlink_tx_bytes_s > 10**11
    assert watched.activity.tensor_pct > 30
    assert watched.pcie_tx_bytes_s is None
    assert "nvlink_tx_bytes_s" not in watched.unavailable
    source.watch(frozenset())
    assert source.read().gpus[0].activity is None


def test_activity_tells_waiting_from_working():
    """While the ranks hang, utilisation says 100 % and the tensor cores say nothing."""
    source = DemoSource(lambda: 156.0)
    source.watch({"activity"})
    gpu = source.read().gpus[0]
    assert gpu.utilization_gpu_pct >= 98
    assert gpu.activity.tensor_pct == 0
    assert gpu.activity.sm_pct < 25


def test_read_asks_the_clock():
    """A source on a test's clock gives that clock's moment, dated from the fixed epoch."""
    now = [12.5]
    source = DemoSource(lambda: now[0])
    assert source.read() == source.sample_at(12.5)
    now[0] = 13.5
    assert source.read().taken_at_ns == round((EPOCH_S + 13.5) * 1e9)


def test_without_a_clock_the_story_begins_now():
    """A live demo is dated today and starts at the story's beginning, with the job running."""
    import time

    before = time.time()
    sample = DemoSource().read()
    assert before - 1 <= sample.taken_at_ns / 1e9 <= time.time() + 1
    assert sum(row.facts.world_size == 8 for row in sample.processes) == 8


def test_speed_runs_the_story_faster():
    """At speed 10 the crash of second 150 is over at second 15.5, and ages are still true."""
    source = DemoSource(lambda: 0.0, speed=10)
    assert source.sample_at(14.95).gpus[3].memory_free_bytes < 64 * MIB
    assert not [row for row in source.sample_at(16.5).processes if row.facts.user == "deepa"]
    check_sample(source.sample_at(23), before=source.sample_at(22))


def test_mig_gives_instances_with_their_own_programs():
    """GPU 0 is cut in three, every program on it is in an instance, and utilisation says why it is absent."""
    sample = DemoSource(lambda: 20.0, mig=True).read()
    gpu = sample.gpus[0]
    assert gpu.mig_enabled is True
    assert [each.profile for each in gpu.mig] == ["3g.40gb", "2g.20gb", "1g.10gb"]
    assert sum(each.memory_total_bytes for each in gpu.mig) <= gpu.memory_total_bytes
    rows = [row for row in sample.processes if row.gpu_index == 0]
    assert {row.gpu_instance_id for row in rows} == {each.gpu_instance_id for each in gpu.mig}
    for each in gpu.mig:
        held = [row.gpu_memory_bytes for row in rows if row.gpu_instance_id == each.gpu_instance_id]
        assert each.memory_used_bytes == sum(held)
    assert gpu.utilization_gpu_pct is None
    assert "MIG" in gpu.unavailable["utilization_gpu_pct"]
    assert all(not other.mig for other in sample.gpus[1:])


def test_a_broken_box_has_a_tombstone_and_a_card_of_few_words():
    """One card is lost and says so; of another most figures are absent, each with its reason."""
    sample = DemoSource(lambda: 20.0, broken=True).read()
    lost = [gpu for gpu in sample.gpus if gpu.fault]
    assert [gpu.index for gpu in lost] == [1]
    assert lost[0].memory_used_bytes is None
    assert not [row for row in sample.processes if row.gpu_index == 1]
    terse = [gpu for gpu in sample.gpus if not gpu.fault and gpu.power_mw is None]
    assert len(terse) == 1
    assert len(terse[0].unavailable) > 12
    silent = [row for row in sample.processes if row.gpu_memory_bytes is None]
    assert [row.gpu_index for row in silent] == [terse[0].index]
    assert {row.facts.world_size for row in sample.processes if row.facts.user == "deepa"} == {7}


@pytest.mark.parametrize("gpus", [0, -1, 65])
def test_an_impossible_number_of_cards_is_refused(gpus: int):
    """Fewer than one card or more than 64 is an error that says what is possible."""
    with pytest.raises(ValueError, match="1 to 64"):
        DemoSource(gpus=gpus)


@pytest.mark.parametrize("speed", [0, -1, float("inf"), float("nan")])
def test_an_impossible_speed_is_refused(speed: float):
    """Time stands still or runs backwards in no demo."""
    with pytest.raises(ValueError, match="speed"):
        DemoSource(speed=speed)


def test_closing_twice_is_fine():
    """A source can be closed twice and read after that: there is nothing to let go of."""
    source = DemoSource(lambda: 1.0)
    source.close()
    source.close()
    assert source.read().gpus


def test_ten_thousand_steps_keep_memory_flat():
    """After a first loop, 10,000 more steps over forty loops leave no more than small change behind."""
    source = DemoSource(lambda: 0.0, gpus=2)
    for at in range(0, 480, 5):
        source.sample_at(at)
    tracemalloc.start()
    try:
        for step in range(1000):
            source.sample_at(480 + step)
        before, _ = tracemalloc.get_traced_memory()
        for step in range(10_000):
            source.sample_at(1480 + step)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 64 * 1024


def test_importing_the_demo_loads_nothing_heavy():
    """The demo costs a start nothing beyond the model: no driver, no terminal library, no event loop."""
    heavy = ("pynvml", "psutil", "rich", "textual", "asyncio", "msgspec", "random", "logging", "subprocess")
    code = f"import sys, dstop.sources.demo; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

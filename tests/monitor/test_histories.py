"""What is remembered, in what order, and what it costs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dstop.monitor.histories import MOST_PROCESSES, GpuHistories, ProcessHistories
from dstop.monitor.rings import Ring


@given(st.lists(st.none() | st.floats(allow_nan=False, width=32)), st.integers(1, 10))
def test_a_ring_gives_the_last_values_in_order(values, capacity):
    """A ring is the tail of what was pushed, None included."""
    ring = Ring(capacity)
    for value in values:
        ring.push(value)
    assert ring.values() == tuple(values[-capacity:])


@given(st.lists(st.tuples(st.none() | st.integers(0, 99), st.integers(0, 99))), st.integers(1, 5))
def test_a_wide_ring_keeps_its_columns_apart(readings, capacity):
    """Numbers that were read together come back in their own columns, in the same order."""
    ring = Ring(capacity, 2)
    for reading in readings:
        ring.push(*reading)
    assert list(zip(ring.values(0), ring.values(1), strict=True)) == readings[-capacity:]


def test_bytes_are_remembered_as_closely_as_a_graph_can_show():
    """A byte count of a big card comes back to a hundred-thousandth of a percent."""
    ring = Ring(2)
    ring.push(287_762_808_833)
    (value,) = ring.values()
    assert value is not None
    assert abs(value - 287_762_808_833) < 287_762_808_833 / 10**7


def test_a_gpu_has_one_value_a_step(build):
    """Lost, stale and missing steps are None, so that all histories have the same time axis."""
    past = GpuHistories(4)
    gpu = {"memory_total_bytes": 100, "memory_used_bytes": 25, "power_mw": 50, "power_limit_mw": 200}
    past.push([build.gpu(utilization_gpu_pct=10, temperature_c=40, **gpu)])
    past.push([build.gpu(utilization_gpu_pct=20, stale_s=9.0)])
    past.push([build.gpu(utilization_gpu_pct=30, fault="lost")])
    past.push([])
    past.push([build.gpu(utilization_gpu_pct=50)])
    assert past.values()[0].utilization_pct == (None, None, None, 50)
    past = GpuHistories(4)
    past.push([build.gpu(utilization_gpu_pct=10, temperature_c=40, **gpu)])
    history = past.values()[0]
    assert (history.memory_pct, history.power_pct, history.temperature_c) == ((25.0,), (25.0,), (40,))


def test_a_gpu_without_a_power_limit_has_no_power_share(build):
    """A share of an unknown or zero limit is not known."""
    past = GpuHistories(2)
    past.push([build.gpu(power_mw=50, power_limit_mw=0)])
    assert past.values()[0].power_pct == (None,)


def test_a_gpu_that_is_gone_for_good_is_forgotten(build):
    """After a whole window without it, a card takes no memory."""
    past = GpuHistories(3)
    past.push([build.gpu(0, utilization_gpu_pct=1), build.gpu(1, utilization_gpu_pct=1)])
    for _ in range(2):
        past.push([build.gpu(0, utilization_gpu_pct=1)])
    assert set(past.values()) == {0, 1}
    past.push([build.gpu(0, utilization_gpu_pct=1)])
    assert set(past.values()) == {0}
    assert past.values()[0].steps == 4


def test_a_process_is_forgotten_when_it_ends(build):
    """The past of a process goes with it; the next comer of its PID starts afresh."""
    past = ProcessHistories(10)
    old, new = build.row(7, started=1.0), build.row(7, started=2.0)
    past.push([old])
    past.push([old])
    assert past.values([old.key])[old.key].gpu_memory_bytes == (2**30, 2**30)
    past.push([new])
    assert past.values([old.key]) == {}
    assert past.values([new.key])[new.key].gpu_memory_bytes == (2**30,)


def test_a_row_that_a_driver_lists_twice_is_one_reading(build):
    """A doubled row does not make time run twice as fast."""
    past = ProcessHistories(10)
    past.push([build.row(7), build.row(7)])
    past.push([build.row(7), build.row(7)])
    assert len(past.values([build.row(7).key])[build.row(7).key].sm_pct) == 2


def test_there_are_never_more_than_so_many(build):
    """Rows beyond the bound have no past, and those that have one keep it."""
    past = ProcessHistories(2)
    rows = [build.row(pid) for pid in range(1, MOST_PROCESSES + 200)]
    past.push(rows)
    assert len(past) == MOST_PROCESSES
    past.push(list(reversed(rows)))
    assert len(past) == MOST_PROCESSES
    assert len(past.values([rows[0].key])[rows[0].key].sm_pct) == 2


def test_energy_is_counted_from_the_start_of_dstop(build):
    """The board's counter runs since the driver was loaded, and starts anew with it."""
    past = GpuHistories(4)
    used = []
    for counter in (10_000, 10_500, 10_700, 100, 150, None):
        past.push([build.gpu(energy_mj=counter)])
        used.append(past.values()[0].energy_mj)
    assert used == [0, 500, 700, 800, 850, 850]
    silent = GpuHistories(4)
    silent.push([build.gpu(energy_mj=None)])
    assert silent.values()[0].energy_mj is None

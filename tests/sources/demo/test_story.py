"""What happens in the demo, seen the way a face sees it: in samples alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dstop.sources.demo import DemoSource
from dstop.units import GIB, MIB

if TYPE_CHECKING:
    from dstop.model.gpu import Gpu
    from dstop.model.process import GpuProcess
    from dstop.model.sample import Sample

LOOP = 240


def demo() -> DemoSource:
    """Give a demo that is asked for moments only."""
    return DemoSource(lambda: 0.0)


def ranks(sample: Sample) -> dict[int, GpuProcess]:
    """Give the rows of the training job by rank."""
    return {row.facts.rank: row for row in sample.processes if row.facts.model == "DeepSeek-V2-Lite"}


def named(sample: Sample, command: str) -> list[GpuProcess]:
    """Give the rows of a command."""
    return [row for row in sample.processes if row.facts.command == command]


def test_eight_ranks_train_on_eight_cards():
    """Eight ranks of one job, one a card, with world size, job and model filled."""
    found = ranks(demo().sample_at(30))
    assert sorted(found) == list(range(8))
    assert [found[rank].gpu_index for rank in range(8)] == list(range(8))
    assert {row.facts.world_size for row in found.values()} == {8}
    assert len({row.facts.job for row in found.values()}) == 1
    assert len({row.pid for row in found.values()}) == 8


def test_rank_3_runs_out_of_memory_beside_the_notebook():
    """Rank 3 climbs until its card has nothing left, then it is gone, and the notebook stays."""
    source = demo()
    before, full, after = (source.sample_at(at) for at in (30, 149.5, 153))
    assert before.gpus[3].memory_free_bytes > 10 * GIB
    assert full.gpus[3].memory_free_bytes < 64 * MIB
    assert 3 in ranks(full)
    assert 3 not in ranks(after)
    assert after.gpus[3].memory_free_bytes > 60 * GIB
    assert named(after, "ipykernel_launcher")[0].gpu_memory_bytes > 11 * GIB
    assert all(gpu.memory_free_bytes > 4 * GIB for gpu in full.gpus if gpu.index != 3)


def test_without_the_notebook_rank_3_would_have_fitted():
    """What the notebook holds is more than the climb still needed: the demo's lesson is true."""
    full = demo().sample_at(149.5)
    rank, notebook = ranks(full)[3], named(full, "ipykernel_launcher")[0]
    assert notebook.gpu_index == rank.gpu_index
    assert notebook.sm_pct == 0
    assert full.gpus[3].memory_free_bytes + notebook.gpu_memory_bytes > 10 * GIB


def test_the_climb_to_the_end_only_steepens_in_steps():
    """From one emptied cache to the next, rank 3 holds more each time, until it is at the ceiling."""
    source = demo()
    floors = [ranks(source.sample_at(at))[3].gpu_memory_bytes for at in range(9, 130, 12)]
    assert floors == sorted(floors)
    assert floors[-1] - floors[0] > 8 * GIB


def test_the_cache_makes_a_saw():
    """Within twelve seconds every rank climbs by gibibytes and drops them again."""
    source = demo()
    for rank in range(8):
        held = [ranks(source.sample_at(at))[rank].gpu_memory_bytes for at in range(20, 32)]
        assert max(held) - min(held) > 4 * GIB


def test_the_others_hang_and_then_leave_within_seconds():
    """Ten seconds of 100 % at the power of a card that waits, then no rank is left."""
    source = demo()
    hanging = source.sample_at(156)
    assert sorted(ranks(hanging)) == [0, 1, 2, 4, 5, 6, 7]
    for rank, row in ranks(hanging).items():
        gpu = hanging.gpus[row.gpu_index]
        assert gpu.utilization_gpu_pct >= 98, rank
        assert gpu.power_mw < 230_000
    left = [len(ranks(source.sample_at(at))) for at in (159.9, 160.6, 161.2, 163)]
    assert left[0] == 7
    assert left[0] > left[1] > left[2] > left[3] == 0


def test_the_job_comes_back_with_new_pids():
    """After the restart there are eight ranks again, with other PIDs, later starts, and another launcher."""
    source = demo()
    old, gone, new = (ranks(source.sample_at(at)) for at in (100, 180, 230))
    assert not gone
    assert sorted(new) == list(range(8))
    assert {row.pid for row in old.values()}.isdisjoint(row.pid for row in new.values())
    assert min(row.facts.started_at_s for row in new.values()) > max(
        row.facts.started_at_s for row in old.values()
    )
    assert ranks(source.sample_at(230 + LOOP))[0].pid != new[0].pid


def test_the_same_job_lives_across_the_seam_of_the_loop():
    """Second 240 is no jump: the same ranks, a little older."""
    source = demo()
    before, after = ranks(source.sample_at(239.9)), ranks(source.sample_at(240.1))
    assert [row.key for row in before.values()] == [row.key for row in after.values()]


def test_weights_come_in_over_pcie_while_the_job_loads():
    """While it loads, memory climbs, the chip rests and PCIe carries gigabytes a second."""
    source = demo()
    source.watch({"pcie"})
    early, late = source.sample_at(208), source.sample_at(220)
    assert ranks(late)[0].gpu_memory_bytes > ranks(early)[0].gpu_memory_bytes + 10 * GIB
    assert late.gpus[0].utilization_gpu_pct < 20
    assert late.gpus[0].pcie_rx_bytes_s > 5 * 10**9


def test_power_holds_gpu_0_back_at_times():
    """GPU 0 meets its power limit in some seconds and not in others, and its clock falls when it does."""
    source = demo()
    cards = [source.sample_at(at).gpus[0] for at in range(LOOP)]
    capped = [gpu for gpu in cards if "power_cap" in gpu.throttle_reasons]
    assert 20 < len(capped) < 150
    assert all(gpu.power_mw == gpu.power_limit_mw for gpu in capped)
    assert all(gpu.clock_sm_mhz < gpu.clock_sm_max_mhz for gpu in capped)


def test_heat_holds_gpu_5_back_and_no_other():
    """GPU 5 gets hot, is slowed, cools and runs on; the others stay clear of it."""
    source = demo()
    hot: list[Gpu] = []
    for at in range(LOOP):
        sample = source.sample_at(at)
        hot += [gpu for gpu in sample.gpus if "sw_thermal" in gpu.throttle_reasons]
    assert {gpu.index for gpu in hot} == {5}
    assert 4 < len(hot) < 150
    assert all(gpu.temperature_c >= 80 and gpu.clock_sm_mhz < 1600 for gpu in hot)


def test_a_row_of_gpu_6_is_marked_once():
    """From second 90 on a row waits for remapping, with one Xid 63 of that moment, for good."""
    source = demo()
    before, after, later = (source.sample_at(at) for at in (89, 91, 91 + LOOP))
    assert before.gpus[6].xids == ()
    assert before.gpus[6].remapped_rows_pending is False
    assert [xid.code for xid in after.gpus[6].xids] == [63]
    assert before.taken_at_ns < after.gpus[6].xids[0].at_ns < after.taken_at_ns
    assert after.gpus[6].remapped_rows_pending is True
    assert later.gpus[6].xids == after.gpus[6].xids


def test_gpu_5_has_corrected_errors():
    """GPU 5 counts three corrected errors and none uncorrected."""
    gpu = demo().sample_at(0).gpus[5]
    assert (gpu.ecc_corrected, gpu.ecc_uncorrected) == (3, 0)


def test_gpu_4_goes_stale_for_eight_seconds_and_the_others_move_on():
    """Its figures stand still and their age grows, then they are new again."""
    source = demo()
    moments = [source.sample_at(100 + second) for second in range(10)]
    ages = [sample.gpus[4].stale_s for sample in moments]
    assert ages == [0, 1, 2, 3, 4, 5, 6, 7, 0, 0]
    assert {sample.gpus[4].power_mw for sample in moments[:8]} == {moments[0].gpus[4].power_mw}
    assert len({sample.gpus[0].power_mw for sample in moments[:8]}) > 1
    assert all(gpu.stale_s == 0 for sample in moments for gpu in sample.gpus if gpu.index != 4)


def test_gpu_2_has_memory_that_nobody_owns():
    """2.3 GiB of GPU 2 belong to no process, and the cause names a worker that cannot end."""
    (row,) = demo().sample_at(10).unattributed
    assert row.gpu_index == 2
    assert 2.2 * GIB < row.bytes < 2.4 * GIB
    assert "state D" in row.cause


def test_a_program_of_another_namespace_shows_memory_and_a_reason():
    """The row whose user is unknown has its memory, and says how to see more."""
    sample = demo().sample_at(10)
    (row,) = [each for each in sample.processes if each.facts.user is None]
    assert row.gpu_memory_bytes == 1248 * MIB
    assert "--pid=host" in row.facts.unavailable["command"]
    assert any("--pid=host" in notice for notice in sample.notices)


def test_the_server_runs_in_a_container_on_gpu_7():
    """VLLM has a container, a model and requests that come and go."""
    source = demo()
    (row,) = named(source.sample_at(10), "VLLM::EngineCore")
    assert row.gpu_index == 7
    assert row.facts.container.startswith("docker:")
    assert len(row.facts.container) == len("docker:") + 12
    shares = {named(source.sample_at(at), "VLLM::EngineCore")[0].sm_pct for at in range(165, 195)}
    assert len(shares) > 5


def test_four_users_share_the_box():
    """Deepa trains, serve serves, alice has the notebook and root looks in."""
    source = demo()
    users = {row.facts.user for at in range(60) for row in source.sample_at(at).processes}
    assert {"deepa", "serve", "alice", "root"} <= users


def test_temperature_follows_power_late():
    """Just after the crash the power is gone and most of the heat is not; half a minute later it is."""
    source = demo()
    before, soon, late = (source.sample_at(at).gpus[1] for at in (149, 153, 190))
    assert soon.power_mw < before.power_mw / 2
    assert before.temperature_c - soon.temperature_c < 12
    assert before.temperature_c - late.temperature_c > 20


def test_energy_is_the_sum_of_power():
    """The energy counter grows by what the power says, within the noise."""
    source = demo()
    first, last = source.sample_at(0), source.sample_at(LOOP)
    for index in range(8):
        counted = (last.gpus[index].energy_mj - first.gpus[index].energy_mj) / 1000
        watts = [source.sample_at(at + 0.5).gpus[index].power_mw / 1000 for at in range(LOOP)]
        assert counted == pytest.approx(sum(watts), rel=0.03)

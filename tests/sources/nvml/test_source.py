"""The whole source through the real pynvml, on the simulated driver."""

from __future__ import annotations

import threading
import time
from dataclasses import fields

import pynvml
import pytest

from dstop.errors import SourceError
from dstop.model.gpu import Gpu
from dstop.model.host import Host
from dstop.model.unattributed import Holder
from dstop.sources.nvml.classes import read_slow
from dstop.sources.nvml.figures import Figures

PATIENCE_S = 20.0
MAY_BE_NONE = {"fault"}


def read_until(source, good, tries=400, patience_s=2.0):
    """Read until a sample is as wanted, at most so many times; give the last one."""
    for _ in range(tries):
        sample = source.read(patience_s=patience_s)
        if good(sample):
            return sample
        time.sleep(0.02)
    return sample


def test_every_absent_figure_has_its_reason(machine):
    """On a healthy H100 each field of a GPU is a value, or is named in `unavailable`."""
    sample = machine().read(patience_s=PATIENCE_S)
    for gpu in sample.gpus:
        absent = {field.name for field in fields(Gpu) if getattr(gpu, field.name) is None} - MAY_BE_NONE
        assert absent == set(gpu.unavailable)
        assert gpu.fault is None
        assert gpu.stale_s == 0
    assert (sample.driver_version, sample.cuda_version) == ("580.95.05", "13.0")
    assert [gpu.index for gpu in sample.gpus] == [0, 1]


@pytest.mark.parametrize("board", ["h100", "a100", "geforce", "gb10", "wsl", "vgpu"])
def test_every_board_is_read_without_a_crash_and_without_silence(machine, board):
    """Whatever a board does not have is a reason; nothing is a bare None."""
    sample = machine(board=board).read(patience_s=PATIENCE_S)
    for gpu in sample.gpus:
        absent = {field.name for field in fields(Gpu) if getattr(gpu, field.name) is None} - MAY_BE_NONE
        assert absent <= set(gpu.unavailable)
        assert gpu.name
        assert gpu.uuid
    for row in sample.processes:
        for field in ("gpu_memory_bytes", "sm_pct"):
            assert getattr(row, field) is not None or row.unavailable[field]


def test_an_old_driver_is_read_too(rig):
    """Driver 470, where the newer functions are missing altogether, gives figures and reasons."""
    code = (
        "from dstop.sources.nvml.source import NvmlSource\n"
        "source = NvmlSource()\n"
        "sample = source.read(patience_s=20)\n"
        "gpu = sample.gpus[0]\n"
        "print(len(sample.gpus), len(sample.processes), gpu.memory_used_bytes > 0)\n"
        "print(gpu.throttle_reasons is not None)\n"
        "source.close()\n"
    )
    env = rig.env(gpus=1, procs=2, board="old", pids="1,2", PYTHONPATH=":".join(__import__("sys").path))
    done = rig.run(code, env=env)
    assert done.stdout.split() == ["1", "2", "True", "True"], done.stderr


def test_a_process_has_both_words(machine):
    """A row holds what the driver says of the process and what the host says of it."""
    sample = machine(gpus=1, procs=2).read(patience_s=PATIENCE_S)
    assert len(sample.processes) == 2
    for row in sample.processes:
        assert row.gpu_uuid == sample.gpus[0].uuid
        assert row.gpu_memory_bytes > 0
        assert 0 <= row.sm_pct <= 100
        assert row.facts.command == f"job{row.pid}"
        assert row.unavailable == {}


def test_rows_are_the_same_object_until_something_changes(machine, twin_host):
    """Between two readings of the process lists the tuple of rows stays, so that nobody draws it again."""
    source = machine()
    first = source.read(patience_s=PATIENCE_S)
    asked = twin_host.asked
    assert source.read(patience_s=PATIENCE_S).processes is first.processes
    assert twin_host.asked == asked


def test_pynvml_is_not_loaded_before_a_source_is_made(rig):
    """Importing the module of the source costs nothing of pynvml."""
    code = "import sys, dstop.sources.nvml.source as s; print('pynvml' in sys.modules)"
    done = rig.run(code, env=rig.env(PYTHONPATH=":".join(__import__("sys").path)))
    assert done.stdout.strip() == "False", done.stderr


def test_a_lost_gpu_is_a_tombstone_and_heals(machine, rig):
    """The row stays with its name and the reason, the other goes on, and it comes back when the card does."""
    source = machine()
    name = source.read(patience_s=PATIENCE_S).gpus[1].name
    rig.faults("gpu 1 lost")
    lost = source.read(patience_s=PATIENCE_S)
    assert "lost" in lost.gpus[1].fault
    assert lost.gpus[1].name == name
    assert lost.gpus[1].memory_used_bytes is None
    assert lost.gpus[0].fault is None
    rig.faults("")
    back = source.read(patience_s=PATIENCE_S).gpus[1]
    assert back.fault is None
    assert back.temperature_c is not None


@pytest.mark.parametrize(
    "fault", ["unknown", "reset_required", "timeout", "uninitialized", "insufficient_power"]
)
def test_a_gpu_that_answers_nothing_says_why(machine, rig, fault):
    """Any error of all calls of one card is its fault line, and no other card's."""
    source = machine()
    source.read(patience_s=PATIENCE_S)
    rig.faults(f"gpu 0 {fault}")
    sample = source.read(patience_s=PATIENCE_S)
    assert sample.gpus[0].fault
    assert sample.gpus[1].fault is None


def test_a_hanging_gpu_grows_stale_and_heals(machine, rig):
    """Its last figures stay, with their age; the others are new; and it heals when its call comes back."""
    source = machine(gpus=3)
    before = source.read(patience_s=PATIENCE_S)
    rig.faults("gpu 1 hang 1.5")
    ages = []
    for _ in range(3):
        sample = source.read(patience_s=0.3)
        ages.append(sample.gpus[1].stale_s)
        assert sample.gpus[0].stale_s == sample.gpus[2].stale_s == 0
    assert 0 < ages[0] < ages[1] < ages[2]
    assert sample.gpus[1].memory_total_bytes == before.gpus[1].memory_total_bytes
    rig.faults("")
    assert read_until(source, lambda sample: sample.gpus[1].stale_s == 0).gpus[1].stale_s == 0


def test_a_gpu_that_never_answered_says_so(machine, rig):
    """From the first reading on a hanging card has a row that tells which call does not come back."""
    source = machine()
    rig.faults("gpu 1 hang 1.5")
    sample = source.read(patience_s=0.4)
    assert "does not answer" in sample.gpus[1].fault
    assert sample.gpus[0].fault is None
    assert sample.gpus[0].memory_used_bytes is not None


def test_closing_does_not_wait_for_a_gpu_that_hangs(machine, rig):
    """With a call that hangs for minutes, closing comes back, and closing twice is fine."""
    source = machine()
    source.read(patience_s=PATIENCE_S)
    rig.faults("gpu 0 hang 60")
    source.read(patience_s=0.05)
    source.close()
    source.close()
    with pytest.raises(SourceError):
        source.read(patience_s=0.01)
    rig.faults("")


def test_closing_wakes_who_waits_for_the_driver_to_start(machine, rig):
    """While nvmlInit hangs, another thread closes, and the reading ends at once with an error."""
    source = machine()
    rig.faults("fn nvmlInit* hang 3")
    said = []

    def read():
        try:
            source.read(patience_s=PATIENCE_S)
        except SourceError as error:
            said.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    while source._attempt is None and reader.is_alive():
        time.sleep(0.001)
    source.close()
    reader.join(PATIENCE_S)
    assert not reader.is_alive()
    assert len(said) == 1


def test_a_driver_that_goes_and_comes_back(machine, rig):
    """Its going is an error with what to do, at every reading, until it is there again."""
    source = machine()
    source.read(patience_s=PATIENCE_S)
    rig.faults("driver gone")
    for _ in range(2):
        with pytest.raises(SourceError, match="not loaded"):
            source.read(patience_s=PATIENCE_S)
    rig.faults("")
    sample = source.read(patience_s=PATIENCE_S)
    assert [gpu.fault for gpu in sample.gpus] == [None, None]


def test_gpus_that_are_unplugged_stay_as_tombstones(machine, rig):
    """Four of eight cards go: their rows say so, the others go on; they heal when plugged in again."""
    source = machine(gpus=8, procs=1)
    source.read(patience_s=PATIENCE_S)
    rig.faults("gpus 4")
    sample = source.read(patience_s=PATIENCE_S)
    assert [gpu.fault is None for gpu in sample.gpus] == [True] * 4 + [False] * 4
    rig.faults("")
    assert all(gpu.fault is None for gpu in source.read(patience_s=PATIENCE_S).gpus)


def test_a_gpu_that_is_plugged_in_gets_a_row(machine, rig):
    """The count is taken again now and then, so a new card appears by itself."""
    source = machine(gpus=2)
    rig.faults("gpus 1")
    assert len(source.read(patience_s=PATIENCE_S).gpus) == 1
    rig.faults("")
    source._session._census._due.reset()
    # In no sample is it a card that does not answer: nobody has asked it yet.
    assert [gpu.fault for gpu in source.read(patience_s=PATIENCE_S).gpus] == [None]
    assert len(source.read(patience_s=PATIENCE_S).gpus) == 2


def test_no_gpus_is_an_error(machine, rig):
    """A driver that counts none is told from a driver that is not there."""
    source = machine()
    rig.faults("gpus 0")
    with pytest.raises(SourceError, match="finds no GPU"):
        source.read(patience_s=PATIENCE_S)


def test_costly_figures_are_read_only_while_watched(machine, rig):
    """PCIe, NVLink and GPM come when somebody looks and go when nobody does."""
    source = machine(gpus=1)
    source.read(patience_s=PATIENCE_S)
    calls = rig.counts()
    assert not {"nvmlDeviceGetPcieThroughput", "nvmlGpmSampleGet"} & set(calls)
    source.watch({"pcie", "nvlink", "activity", "nonsense"})

    def all_there(sample):
        gpu = sample.gpus[0]
        return None not in (gpu.pcie_tx_bytes_s, gpu.pcie_rx_bytes_s, gpu.nvlink_tx_bytes_s, gpu.activity)

    gpu = read_until(source, all_there).gpus[0]
    assert gpu.pcie_tx_bytes_s >= 0
    assert gpu.nvlink_rx_bytes_s > 0
    assert 0 <= gpu.activity.sm_pct <= 100
    assert "pcie_tx_bytes_s" not in gpu.unavailable
    source.watch(frozenset())
    gone = read_until(source, lambda sample: sample.gpus[0].activity is None).gpus[0]
    assert "only while shown" in gone.unavailable["activity"]
    assert gone.pcie_tx_bytes_s is None
    counts = rig.counts()
    assert counts["nvmlGpmSampleFree"] == counts["nvmlGpmSampleAlloc"] == 2


def test_mig_slices_and_their_processes(machine, rig):
    """Slices are under their card with their memory, processes name theirs, the layout may change."""
    source = machine(gpus=2, procs=4, mig="0:3g.40gb,3g.40gb")
    sample = source.read(patience_s=PATIENCE_S)
    card = sample.gpus[0]
    assert card.mig_enabled is True
    assert [one.profile for one in card.mig] == ["3g.40gb", "3g.40gb"]
    assert all(one.memory_total_bytes > 0 and one.uuid for one in card.mig)
    assert card.utilization_gpu_pct is None
    assert "MIG" in card.unavailable["utilization_gpu_pct"]
    slices = {(one.gpu_instance_id, one.compute_instance_id) for one in card.mig}
    mine = [row for row in sample.processes if row.gpu_index == 0]
    assert len(mine) == 4
    assert {(row.gpu_instance_id, row.compute_instance_id) for row in mine} == slices
    assert all(row.gpu_instance_id is None for row in sample.processes if row.gpu_index == 1)
    rig.faults("mig 0:1g.10gb")
    for one in source._session.cards:
        one._slow.reset()
        one._medium.reset()
    assert [one.profile for one in source.read(patience_s=PATIENCE_S).gpus[0].mig] == ["1g.10gb"]


def test_an_xid_is_remembered(machine, rig):
    """An Xid that the driver reports while we watch is on its card's row, and on no other."""
    source = machine()
    source.read(patience_s=PATIENCE_S)
    source.read(patience_s=PATIENCE_S)
    rig.faults("xid 1 79")
    sample = read_until(source, lambda sample: sample.gpus[1].xids)
    assert [xid.code for xid in sample.gpus[1].xids] == [79]
    assert sample.gpus[0].xids == ()


def test_health_is_on_the_row(machine, rig):
    """Throttling, ECC errors and a pending row remap are read."""
    source = machine(gpus=1)
    rig.faults("throttle 0 0x644\necc 0 7\nremap 0")
    gpu = source.read(patience_s=PATIENCE_S).gpus[0]
    assert gpu.throttle_reasons == ("power_cap", "hw_thermal", "board_limit", "reliability")
    assert gpu.ecc_uncorrected == 7
    assert gpu.remapped_rows_pending is True


def test_unified_memory_is_the_hosts(machine, twin_host):
    """On GB10 the total is the host's and used is what the processes hold."""
    sample = machine(gpus=1, procs=2, board="gb10").read(patience_s=PATIENCE_S)
    gpu = sample.gpus[0]
    assert gpu.unified_memory
    assert gpu.memory_total_bytes == twin_host.totals[0]
    assert gpu.memory_used_bytes == sum(row.gpu_memory_bytes for row in sample.processes)
    assert "unified" in gpu.unavailable["memory_reserved_bytes"]


def test_the_devices_are_searched_rarely(machine, rig, twin_host):
    """Who holds a device is looked for when memory is nobody's, and not again at the next reading."""
    source = machine(gpus=1)
    twin_host.found = (Holder(pid=77, command="zombie.py", state="D", gpu_indices=(0,)),)
    source.read(patience_s=PATIENCE_S)
    assert twin_host.scans == 0
    rig.faults("ghost 0 4096")
    for _ in range(2):
        source._session.cards[0]._medium.reset()
        source._people._due.reset()
        sample = source.read(patience_s=PATIENCE_S)
    assert twin_host.scans == 1
    (row,) = sample.unattributed
    assert row.bytes >= 4096 * 2**20
    assert "zombie.py" in row.cause


def test_a_process_list_that_is_refused_is_a_notice(machine, rig):
    """Without a list nobody's memory is claimed to be unowned; the refusal is told instead."""
    source = machine(gpus=1)
    rig.faults("fn nvmlDeviceGet*RunningProcesses* nopermission")
    sample = source.read(patience_s=PATIENCE_S)
    assert sample.processes == ()
    assert sample.unattributed == ()
    assert "cannot be listed: no permission" in sample.notices[0]


def test_a_host_without_figures_leaves_reasons(machine, twin_host):
    """Unified memory on a host whose size is not known is absent with a reason."""
    twin_host.totals = (None, None)
    gpu = machine(gpus=1, board="gb10").read(patience_s=PATIENCE_S).gpus[0]
    assert gpu.memory_total_bytes is None
    assert gpu.unavailable["memory_total_bytes"]
    assert twin_host.host() == Host(name="twin")


def test_a_performance_state_that_the_driver_does_not_know(twin_driver):
    """NVML's 32 is its word for unknown (nvml.h, `NVML_PSTATE_UNKNOWN`), and no state."""
    figures = Figures()
    driver = twin_driver(nvmlDeviceGetPerformanceState=32)
    driver.nvml = pynvml
    read_slow(driver, "handle", figures)
    assert figures.values["performance_state"] is None
    assert figures.reasons()["performance_state"] == "the driver does not know it now"

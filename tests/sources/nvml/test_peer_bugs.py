"""The bugs that other monitors of GPUs have had, one test each: none of them may be ours.

Numbers are those of our list of them; the missing ones concern the screen, not what is read.
"""

from __future__ import annotations

import math
import sys
from types import ModuleType

import pytest

from dstop.errors import SourceError
from dstop.sources.nvml import binding as binding_module
from dstop.sources.nvml.absence import explain
from dstop.sources.nvml.evidence import Evidence
from dstop.sources.nvml.figures import Figures
from dstop.sources.nvml.links import read_pcie
from dstop.sources.procfs.namespace import OTHER_NAMESPACE

PATIENCE_S = 20.0


def everything(sample):
    """Give every number of a sample."""
    values = [getattr(gpu, name) for gpu in sample.gpus for name in gpu.__slots__]
    values += [getattr(row, name) for row in sample.processes for name in row.__slots__]
    return [value for value in values if isinstance(value, int | float)]


def test_bug_01_a_pid_of_another_namespace_keeps_its_row(machine, twin_host):
    """In a container no process can be seen: each row stays with its memory and says why."""
    twin_host.strangers = {1000 + number: OTHER_NAMESPACE for number in range(6)}
    sample = machine(gpus=2, procs=3).read(patience_s=PATIENCE_S)
    assert len(sample.processes) == 6
    assert all(row.gpu_memory_bytes for row in sample.processes)
    assert all("--pid=host" in row.facts.unavailable["command"] for row in sample.processes)
    assert sample.notices == ("6 PIDs are of another namespace: run with --pid=host to see what they are",)


def test_bug_02_the_wider_struct_of_driver_535(machine):
    """Drivers 535.43 to 535.86 write 32 bytes a row through the same symbol: same PIDs, same memory."""
    plain = machine(gpus=1, procs=5, freeze=100).read(patience_s=PATIENCE_S).processes
    wide = machine(gpus=1, procs=5, freeze=100, struct535=1).read(patience_s=PATIENCE_S).processes
    assert [(row.pid, row.gpu_memory_bytes, row.gpu_instance_id) for row in wide] == [
        (row.pid, row.gpu_memory_bytes, row.gpu_instance_id) for row in plain
    ]
    assert len(wide) == 5


def test_bug_03_used_is_without_the_drivers_reserve(machine):
    """Used, reserved and free are three figures that make the total; used is what nvidia-smi shows."""
    gpu = machine(gpus=1).read(patience_s=PATIENCE_S).gpus[0]
    assert gpu.memory_reserved_bytes > 0
    assert gpu.memory_used_bytes + gpu.memory_reserved_bytes + gpu.memory_free_bytes == gpu.memory_total_bytes


def test_bug_04_the_total_is_the_cards_memory_without_bar1(machine, rig):
    """The BAR1 window is no memory: it is not even asked for."""
    machine(gpus=1).read(patience_s=PATIENCE_S)
    assert "nvmlDeviceGetBAR1MemoryInfo" not in rig.counts()


@pytest.mark.parametrize("unified", ["", "zero"])
def test_bug_05_unified_memory_is_not_the_hosts_use(machine, unified):
    """An idle GB10 shows what its processes hold, not what the host uses, however its driver says so."""
    gpu = machine(gpus=1, procs=0, board="gb10", unified=unified).read(patience_s=PATIENCE_S).gpus[0]
    assert gpu.unified_memory
    assert gpu.memory_used_bytes == 0


def test_bug_06_memory_without_a_process_gets_a_row_and_a_cause(machine, rig):
    """What no listed process holds is said, with the likeliest reason."""
    source = machine(gpus=1)
    rig.faults("ghost 0 3000")
    (row,) = source.read(patience_s=PATIENCE_S).unattributed
    assert row.bytes == 3000 * 2**20
    assert row.cause


def test_bug_07_a_gpu_that_is_lost_at_the_start_takes_nobody_along(machine, rig):
    """A card whose handle cannot even be had is a tombstone; the others are read."""
    source = machine(gpus=3)
    rig.faults("gpu 0 lost")
    sample = source.read(patience_s=PATIENCE_S)
    assert "lost" in sample.gpus[0].fault
    assert [gpu.fault for gpu in sample.gpus[1:]] == [None, None]


def test_bug_08_nvml_is_not_shut_down_under_a_call(machine, rig):
    """With a call under way there is no nvmlShutdown; without one there is exactly one."""
    quiet = machine()
    quiet.read(patience_s=PATIENCE_S)
    quiet.close()
    assert rig.counts()["nvmlShutdown"] == 1
    busy = machine()
    busy.read(patience_s=PATIENCE_S)
    rig.faults("gpu 0 hang 3")
    busy.read(patience_s=0.05)
    busy.close()
    assert rig.counts()["nvmlShutdown"] == 1


def test_bug_09_a_container_that_lost_its_gpus_learns_the_fix():
    """Unknown Error with EPERM on the device, in a container, is the cgroup story, with what to do."""
    error = explain(Evidence(code=999, container="docker", control_errno=1))
    assert "has lost its GPUs" in error.message
    assert "systemctl daemon-reload" in error.fix
    assert "cgroupfs" in error.fix


def test_bug_10_a_version_mismatch_says_both_versions_and_what_to_do(machine, rig):
    """The bare NVML message is never all: reboot or reload is part of it."""
    source = machine()
    rig.faults("driver mismatch")
    with pytest.raises(SourceError, match="mismatch") as caught:
        source.read(patience_s=PATIENCE_S)
    assert "reboot" in caught.value.fix or "restart the container" in caught.value.fix
    error = explain(Evidence(code=18, kernel_version="570.1", library_version="580.2"))
    assert "570.1" in error.message
    assert "580.2" in error.message


def test_bug_11_a_process_never_uses_37100_percent(machine, rig):
    """Garbage is dropped with what the driver said; nothing found is no error."""
    source = machine(gpus=1)
    rig.faults("util over")
    rows = source.read(patience_s=PATIENCE_S).processes
    assert rows
    assert any("37100" in row.unavailable.get("sm_pct", "") for row in rows)
    assert all(row.sm_pct is None or row.sm_pct <= 100 for row in rows)
    quiet = machine(gpus=1)
    rig.faults("util notfound")
    rows = quiet.read(patience_s=PATIENCE_S).processes
    assert rows
    assert all(row.sm_pct is None and row.unavailable["sm_pct"] for row in rows)


def test_bug_12_blackwell_answers_through_the_newer_function(machine, rig):
    """Where the older utilisation function fails, its successor is asked."""
    source = machine(gpus=1)
    rig.faults("fn nvmlDeviceGetProcessUtilization notsupported")
    rows = source.read(patience_s=PATIENCE_S).processes
    assert rows
    assert all(row.sm_pct is not None for row in rows)


def test_bug_13_slow_counters_and_init_are_not_part_of_a_reading(machine, rig):
    """Ten readings start NVML once and never wait for a PCIe counter that nobody looks at."""
    source = machine(gpus=8, procs=2)
    for _ in range(10):
        source.read(patience_s=PATIENCE_S)
    counts = rig.counts()
    assert counts.get("nvmlInitWithFlags", 0) + counts.get("nvmlInit_v2", 0) == 1
    assert "nvmlDeviceGetPcieThroughput" not in counts
    assert counts["nvmlDeviceGetName"] == 8


def test_bug_14_nvidia_smi_is_never_started(machine):
    """Reading starts no program at all."""
    started = []

    def hook(event, args):
        if event in {"subprocess.Popen", "os.posix_spawn", "os.exec", "os.system", "os.fork"}:
            started.append(args)

    sys.addaudithook(hook)
    machine().read(patience_s=PATIENCE_S)
    assert started == []


def test_bug_15_what_wsl_does_not_have_is_a_value(machine):
    """Under WSL most figures are missing: rows are there, each gap with a reason."""
    sample = machine(board="wsl", gpus=1).read(patience_s=PATIENCE_S)
    assert sample.gpus[0].fault is None
    assert sample.gpus[0].memory_total_bytes
    assert all(
        row.gpu_memory_bytes is None and row.unavailable["gpu_memory_bytes"] for row in sample.processes
    )


@pytest.mark.parametrize(
    "fault",
    [
        "mem zero",
        "util garbage",
        "procs garbage",
        "procs nomem",
        "procs dead",
        "name bytes",
        "fn nvmlDeviceGet[A-BD-GI-Z]* unknown",
    ],
)
def test_bug_16_no_answer_of_the_driver_aborts(machine, rig, fault):
    """Nonsense of every kind gives a sample, with finite numbers and no marker for nothing among them."""
    source = machine(gpus=2)
    rig.faults(fault)
    for _ in range(2):
        sample = source.read(patience_s=PATIENCE_S)
    assert len(sample.gpus) == 2
    for number in everything(sample):
        assert math.isfinite(number)
        assert number >= 0
        assert number not in (4294967295, 2**64 - 1)


def test_bug_20_a_foreign_pynvml_is_named(monkeypatch):
    """Another package in NVIDIA's place ends in one line with the command that mends it."""
    foreign = ModuleType("pynvml")
    foreign.__file__ = "/elsewhere/pynvml.py"
    monkeypatch.setitem(sys.modules, "pynvml", foreign)
    with pytest.raises(SourceError, match="/elsewhere/pynvml") as caught:
        binding_module.Binding()
    assert "pip install --force-reinstall nvidia-ml-py" in str(caught.value)


def test_bug_21_tx_is_what_the_gpu_sends(twin_driver):
    """NVML's counter 0 (TX) is the GPU's sending and 1 (RX) its receiving, in KiB a second."""
    import pynvml

    figures = Figures()
    answer = {pynvml.NVML_PCIE_UTIL_TX_BYTES: 3, pynvml.NVML_PCIE_UTIL_RX_BYTES: 7}
    driver = twin_driver(nvmlDeviceGetPcieThroughput=lambda _handle, counter: answer[counter])
    read_pcie(driver, "h", figures)
    assert figures.values == {"pcie_tx_bytes_s": 3 * 1024, "pcie_rx_bytes_s": 7 * 1024}


def test_bug_22_one_pid_on_many_gpus_is_many_rows(machine):
    """A job on all cards has a row on each, with a key of its own."""
    sample = machine(gpus=4, procs=2, spread=1).read(patience_s=PATIENCE_S)
    assert len(sample.processes) == 8
    assert len({row.pid for row in sample.processes}) == 2
    assert len({row.key for row in sample.processes}) == 8


def test_bug_23_what_is_not_found_is_never_zero(machine, rig):
    """A process without a memory figure has None and a reason, and the rest is not called unowned."""
    source = machine(gpus=1)
    rig.faults("procs nomem")
    sample = source.read(patience_s=PATIENCE_S)
    assert sample.processes
    assert all(row.gpu_memory_bytes is None for row in sample.processes)
    assert sample.unattributed == ()


def test_bug_24_a_long_run_keeps_nothing(machine, rig):
    """After hundreds of readings with processes that come and go, nothing of the gone ones is held."""
    source = machine(gpus=2, procs=4, pids=",".join(str(pid) for pid in range(5000, 5400)))
    rig.faults("procs churn")
    for _ in range(200):
        for card in source._session.cards if source._session else ():
            card._medium.reset()
        source._people._due.reset()
        sample = source.read(patience_s=PATIENCE_S)
    assert len(sample.processes) <= 8
    assert set(source._people._views) == {row.pid for row in sample.processes}
    assert len(source._binding._flight) == 0


def test_bug_25_a_name_that_is_no_text_is_cleaned(machine, rig):
    """Invalid UTF-8 and an escape sequence in a name become harmless text."""
    source = machine(gpus=1)
    rig.faults("name bytes")
    name = source.read(patience_s=PATIENCE_S).gpus[0].name
    assert name
    assert name.isprintable()

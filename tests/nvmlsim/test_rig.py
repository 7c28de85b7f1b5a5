"""The rig itself: what a test may rely on."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pynvml
import pytest


@contextlib.contextmanager
def nvml(rig, **settings):
    """Open pynvml on a simulated machine, in this very process."""
    rig.use(**settings)
    pynvml.nvmlInit()
    yield pynvml
    rig.faults("")
    pynvml.nvmlShutdown()


def test_pynvml_in_this_process_meets_the_simulator(rig):
    """Pynvml asks the loader by soname and gets the simulator, with the settings of the moment."""
    with nvml(rig, gpus=3) as lib:
        assert lib.nvmlDeviceGetCount() == 3
        assert lib.nvmlDeviceGetName(lib.nvmlDeviceGetHandleByIndex(0)) == "NVIDIA H100 80GB HBM3"
    with nvml(rig, gpus=5, name="Another card") as lib:
        assert lib.nvmlDeviceGetCount() == 5
        assert lib.nvmlDeviceGetName(lib.nvmlDeviceGetHandleByIndex(4)) == "Another card"


def test_reset_forgets_who_called_init(rig):
    """After a reset nobody has called nvmlInit, whatever went before."""
    with nvml(rig):
        rig.use()
        with pytest.raises(pynvml.NVMLError_Uninitialized):
            pynvml.nvmlDeviceGetCount()
        pynvml.nvmlInit()


def test_a_fault_shows_at_the_next_call_and_heals(rig):
    """A rewritten fault file is seen by the very next call, and an empty one lifts it."""
    with nvml(rig, gpus=4) as lib:
        handle = lib.nvmlDeviceGetHandleByIndex(3)
        rig.faults("gpu 3 lost")
        with pytest.raises(pynvml.NVMLError_GpuIsLost):
            lib.nvmlDeviceGetPowerUsage(handle)
        rig.faults("")
        assert lib.nvmlDeviceGetPowerUsage(handle) > 0


def test_a_child_process_finds_the_machine(rig):
    """A program started by the rig sees the GPUs, and its calls are counted."""
    done = rig.run(
        "import pynvml; pynvml.nvmlInit(); print(pynvml.nvmlDeviceGetCount())", env=rig.env(gpus=6)
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "6\n", "")
    assert rig.counts()["nvmlDeviceGetCount_v2"] == 1


def test_the_load_is_alive_and_listed(rig):
    """The dummy processes exist, look like jobs, and are what the driver lists."""
    pids = rig.load(16)
    assert len(set(pids)) == 16
    assert Path(f"/proc/{pids[0]}/cmdline").read_bytes().startswith(b"python3\0-u\0train.py\0")
    assert b"WORLD_SIZE=64\0" in Path(f"/proc/{pids[8]}/environ").read_bytes()
    assert Path(f"/proc/{pids[1]}/comm").read_text() == "VLLM::EngineCor\n"
    with nvml(rig, gpus=2, procs=8) as lib:
        listed = [
            process.pid
            for index in range(2)
            for process in lib.nvmlDeviceGetComputeRunningProcesses(lib.nvmlDeviceGetHandleByIndex(index))
        ]
    assert listed == pids
    rig.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)

"""Whole runs: hostile files, calls that hang, a machine that is simulated."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dstop.doctor.environment.examine import CHECKS, examine, gather
from dstop.doctor.environment.facts import SHELL, Facts, Scope, TorchBuild
from dstop.doctor.environment.gathering.boards import read_boards
from dstop.doctor.environment.values import CheckStatus
from dstop.sources.nvml.source import NvmlSource
from dstop.testing import FakeSource, hostile_text, make_sample, samples


def _well_formed(checks) -> None:
    assert len({check.id for check in checks}) == len(checks)
    for check in checks:
        assert check.status in set(CheckStatus)
        for text in (check.id, check.title, check.says, check.source, check.fix or "x"):
            assert text
            assert text.isprintable()


def test_every_check_stands_once() -> None:
    """The list has no question twice."""
    assert len(set(CHECKS)) == len(CHECKS)


def test_nothing_known_is_no_error() -> None:
    """Facts without anything in them give checks, none of which claims to pass what was not seen to."""
    checks = examine(Facts())
    _well_formed(checks)
    assert not [check for check in checks if check.says.startswith("could not be checked")]


def test_the_order_is_always_the_same(machine) -> None:
    """Two runs give the same ids in the same order."""
    sample = make_sample(2)
    assert list(machine.checks(sample)) == list(machine.checks(sample))


def test_a_check_that_stumbles_is_unknown() -> None:
    """With its reason, and the others go on."""

    def breaks(_facts):
        raise ValueError("odd\x1b[31m figure")

    checks = examine(Facts(unavailable={"memory": "did not come back in time"}), [breaks, CHECKS[0]])
    assert [check.status for check in checks] == ["unknown", "unknown", "fail"]
    assert "odd" in checks[1].says
    _well_formed(checks)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sample=samples())
def test_any_sample_is_examined(sample) -> None:
    """Whatever a driver says, no check stumbles over it."""
    checks = examine(Facts(sample=sample, shell=Scope(name=SHELL, variables={"CUDA_VISIBLE_DEVICES": "0"})))
    _well_formed(checks)
    assert not [check for check in checks if check.says.startswith("could not be checked")]


NAMES = ("CUDA_VISIBLE_DEVICES", "PYTORCH_CUDA_ALLOC_CONF", "NCCL_SOCKET_IFNAME", "NCCL_IB_HCA", "NCCL_DEBUG")


@settings(max_examples=100, deadline=None)
@given(value=hostile_text(), other=st.text(max_size=40), name=st.sampled_from(NAMES))
def test_any_environment_is_examined(value, other, name) -> None:
    """Variables, versions and names are anybody's."""
    scope = Scope(name=SHELL, variables={name: value, f"NCCL_{other}": other})
    job = Scope(name=other, pid=1, rank=0, job=value, variables={name: other})
    facts = Facts(
        sample=make_sample(1),
        shell=scope,
        jobs=(job, replace(job, rank=1, variables={})),
        torches=(TorchBuild(value, other, value[:20], None),),
    )
    checks = examine(facts)
    _well_formed(checks)
    assert not [check for check in checks if check.says.startswith("could not be checked")]


def test_pipes_and_endless_files_are_not_waited_for(machine) -> None:
    """A pipe where a file should be, a folder, and bytes that are no text."""
    for name in ("venv/lib/python3.12/site-packages/torch/version.py", "etc/nccl.conf", "proc/meminfo"):
        path = machine.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        os.mkfifo(path)
    (machine.path / "proc/uptime").write_bytes(b"\xff\xfe\x00\x1b[2J")
    (machine.path / "proc/self/limits").write_bytes(os.urandom(5000))
    began = time.monotonic()
    checks = machine.checks(make_sample(1), {"VIRTUAL_ENV": "/venv", "HOME": "/"})
    assert time.monotonic() - began < 1.5
    assert checks["memory.free"].status == "unknown"
    assert checks["torch.build"].status == "unknown"


def test_a_part_that_breaks_is_told(machine) -> None:
    """A reader that stumbles leaves the others alone."""

    class Odd(dict):
        def get(self, _name, _default=None):
            raise RuntimeError("no such luck")

    facts = gather(machine.root, Odd(), lambda: FakeSource([make_sample(1)]), board_reader=None)
    assert "torches" in facts.unavailable
    checks = {check.id: check for check in examine(facts)}
    assert checks["gather.torches"].status == "unknown"
    assert checks["driver.answers"].status == "pass"
    assert "torch.build" not in checks


def test_what_was_not_gathered_is_not_judged() -> None:
    """A part that did not come back makes nothing fail or pass."""
    parts = ("driver", "torches", "container", "memory", "limits", "kernel_log", "shell", "jobs")
    checks = examine(
        Facts(sample=make_sample(2), unavailable=dict.fromkeys(parts, "did not come back in time"))
    )
    kept = {check.id.split(".")[0] for check in checks}
    assert kept == {"gather", "driver", "hardware"}
    assert [check.id for check in checks if check.id.startswith("driver.")] == [
        "driver.answers",
        "driver.cards",
    ]


def test_an_empty_folder_is_a_machine_too(tmp_path) -> None:
    """Nothing that is missing stops it."""
    facts = gather(str(tmp_path), {}, lambda: FakeSource([make_sample(1)]), board_reader=None)
    _well_formed(examine(facts))
    assert facts.unavailable == {}


def test_a_simulated_machine_is_healthy(machine, rig) -> None:
    """The driver's own figures, with those that only the doctor asks for, in less than half a second."""
    rig.use(gpus=4, procs=2, pids=",".join(str(2**22 - 100 + number) for number in range(8)))
    gather(machine.root, {}, NvmlSource)
    began = time.monotonic()
    facts = gather(machine.root, {}, NvmlSource)
    checks = {check.id: check for check in examine(facts)}
    assert time.monotonic() - began < 1.0
    assert checks["driver.answers"].status == "pass"
    assert checks["hardware.ecc_mode"].status == "pass"
    assert checks["hardware.power_limit"].status == "pass"
    assert [board.minor for board in facts.boards.boards] == [0, 1, 2, 3]
    assert facts.boards.nvml_version is not None
    assert threading.active_count() < 20


def test_a_driver_that_is_gone_is_told(machine, rig) -> None:
    """With the reason, and without the hint at the demo."""
    rig.use(gpus=2, procs=1)
    rig.faults("driver driver_not_loaded")
    check = {check.id: check for check in examine(gather(machine.root, {}, NvmlSource))}["driver.answers"]
    rig.faults("")
    assert check.status == "fail"
    assert "demo" not in str(check.fix)


def test_a_call_that_hangs_is_left_behind(rig) -> None:
    """What was asked before it stays known; the rest has its reason."""
    rig.use(gpus=2, procs=1)
    rig.faults("fn nvmlDeviceGetPowerManagementDefaultLimit hang 2")
    began = time.monotonic()
    boards = read_boards(2, patience_s=0.3)
    took = time.monotonic() - began
    rig.faults("")
    assert boards.reason == "the driver does not answer in time"
    assert took < 1.5


def test_a_card_that_hangs_fails_alone(machine, rig) -> None:
    """The others have their figures, and the run ends."""
    rig.use(gpus=2, procs=1)
    rig.faults("gpu 1 hang 3")
    began = time.monotonic()
    checks = {check.id: check for check in examine(gather(machine.root, {}, NvmlSource))}
    took = time.monotonic() - began
    rig.faults("")
    assert checks["driver.answers"].status == "pass"
    assert checks["driver.cards"].status == "fail"
    assert "GPU 1" in checks["driver.cards"].says
    assert checks["hardware.power_limit"].status == "pass"
    assert took < 3.0


def test_a_driver_that_never_starts_is_left_behind(machine, rig) -> None:
    """After the patience of the source, whatever hangs."""
    rig.use(gpus=1, procs=1)
    rig.faults("fn nvmlInit* hang 2")
    began = time.monotonic()
    facts = gather(machine.root, {}, lambda: NvmlSource(starting_s=0.3), patience_s=0.2)
    took = time.monotonic() - began
    rig.faults("")
    check = {check.id: check for check in examine(facts)}["driver.answers"]
    assert check.status == "fail"
    assert "does not answer" in check.says
    assert took < 1.5

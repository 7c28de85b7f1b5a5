"""The container, and what it lets us have."""

from __future__ import annotations

from dataclasses import replace

from dstop.sources.procfs.namespace import OTHER_NAMESPACE
from dstop.testing import make_facts, make_gpu, make_process, make_sample


def test_outside_a_container_all_is_well(machine) -> None:
    """Every check of the group passes on a plain host."""
    checks = machine.checks(make_sample(2))
    assert {check.status for name, check in checks.items() if name.startswith("container.")} == {"pass"}
    assert "container.visible" not in checks


def test_a_container_is_named(machine) -> None:
    """By the file that Docker leaves."""
    machine.write(".dockerenv", "")
    assert machine.checks(make_sample(2))["container.kind"].value == "docker"


def test_missing_device_files_fail(machine) -> None:
    """Without nvidiactl, or without a card's own file, CUDA finds no device."""
    machine.remove("dev/nvidia0")
    machine.remove("dev/nvidia1")
    assert machine.checks(make_sample(2))["container.devices"].status == "fail"
    machine.write(".dockerenv", "")
    machine.remove("dev/nvidiactl")
    check = machine.checks()["container.devices"]
    assert check.status == "fail"
    assert check.fix is not None
    assert "--gpus all" in check.fix


def test_mig_needs_its_device_files(machine) -> None:
    """An empty folder of capabilities opens no instance."""
    sample = make_sample([make_gpu(0, mig_enabled=True)])
    assert machine.checks(sample)["container.mig_devices"].status == "fail"
    machine.write("dev/nvidia-caps/nvidia-cap21", "")
    assert machine.checks(sample)["container.mig_devices"].status == "pass"


def test_a_pid_namespace_of_its_own_blinds_nvml(machine) -> None:
    """The nameless processes are counted, and --pid=host is the way."""
    machine.link("proc/self/ns/pid", "pid:[4026532999]")
    stranger = make_facts(7, command=None, unavailable={"command": OTHER_NAMESPACE})
    rows = (make_process(0, 8), replace(make_process(0, 7), facts=stranger))
    check = machine.checks(make_sample(1, processes=rows))["container.pids"]
    assert (check.status, check.value) == ("warn", 1)
    assert "--pid=host" in str(check.fix)


def test_an_ipc_namespace_of_its_own_is_said(machine) -> None:
    """It is no fault, and explains why NCCL goes through sockets; an unreadable one is unknown."""
    machine.link("proc/self/ns/ipc", "ipc:[4026532998]")
    assert "sockets" in machine.checks()["container.ipc"].says
    machine.remove("proc/self/ns/ipc")
    assert machine.checks()["container.ipc"].status == "unknown"


def test_what_the_runtime_was_asked_for_is_read(machine) -> None:
    """No GPU at all fails, a part that is left out warns."""
    machine.write(".dockerenv", "")
    assert machine.checks(environ={"NVIDIA_VISIBLE_DEVICES": "void"})["container.visible"].status == "fail"
    graphics = {"NVIDIA_DRIVER_CAPABILITIES": "graphics,utility"}
    assert machine.checks(make_sample(1), graphics)["container.visible"].status == "warn"
    whole = {"NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}
    assert machine.checks(make_sample(1), whole)["container.visible"].status == "pass"


def test_under_wsl_the_devices_are_others(machine) -> None:
    """Neither device files nor a kernel module are missed there."""
    machine.write("proc/sys/kernel/osrelease", "5.15.0-microsoft-standard-WSL2\n")
    machine.remove("dev/nvidiactl")
    machine.remove("dev/nvidia-uvm")
    machine.remove("proc/driver/nvidia/version")
    checks = machine.checks(make_sample(1))
    assert checks["container.devices"].status == "pass"
    assert checks["driver.versions"].status == "pass"
    assert "driver.uvm" not in checks

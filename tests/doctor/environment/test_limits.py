"""What the kernel refuses."""

from __future__ import annotations

import pytest

from dstop.doctor.environment.gathering.limits import parse_limits
from dstop.testing import make_sample


def test_limits_are_read_by_their_names() -> None:
    """Words in a name do not shift its columns; unlimited is None; garbage is left out."""
    text = (
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max open files            1024                 1048576              files     \n"
        "Max realtime timeout      unlimited            unlimited            us        \n"
        "Max locked memory         lots                 8                    bytes     \n"
    )
    assert parse_limits(text) == {"Max open files": (1024, 1048576), "Max realtime timeout": (None, None)}


def test_a_healthy_machine_passes(machine) -> None:
    """Every check of the group."""
    checks = machine.checks(make_sample(1))
    found = {name: check.status for name, check in checks.items() if name.startswith("limits.")}
    assert len(found) == 5
    assert set(found.values()) == {"pass"}


def test_unreadable_limits_are_unknown(machine) -> None:
    """Each with the command that tells."""
    machine.remove("proc/self/limits")
    checks = machine.checks()
    for name in ("open_files", "locked_memory", "address_space", "tasks"):
        assert checks[f"limits.{name}"].status == "unknown"
        assert checks[f"limits.{name}"].fix is not None


def test_few_open_files_warn(machine) -> None:
    """Ours, or those of a job that runs."""
    machine.limits(files="1024")
    assert machine.checks()["limits.open_files"].status == "warn"
    machine.limits()
    machine.process(4000)
    check = machine.checks(make_sample(1, processes=()))["limits.open_files"]
    assert check.status == "warn"
    assert "4000" in check.says


def test_locked_memory_matters_to_rdma_alone(machine) -> None:
    """With such a card 8 MiB fail, without one they pass; where that cannot be seen it is unknown."""
    machine.limits(locked="8388608")
    assert machine.checks()["limits.locked_memory"].status == "pass"
    machine.write("sys/class/infiniband/mlx5_0", "")
    check = machine.checks()["limits.locked_memory"]
    assert (check.status, check.value) == ("fail", 8388608)
    machine.write("proc/self/status", "Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\n")
    assert machine.checks()["limits.locked_memory"].status == "pass"


def test_a_limited_address_space_warns_or_fails(machine) -> None:
    """Below what CUDA reserves it does not start."""
    machine.limits(space=str(2**40))
    assert machine.checks(make_sample(1))["limits.address_space"].status == "fail"
    machine.limits(space=str(2**45))
    assert machine.checks(make_sample(1))["limits.address_space"].status == "warn"


def test_few_tasks_warn(machine) -> None:
    """What is left in the control group, threads included."""
    machine.write("sys/fs/cgroup/pids.max", "512\n")
    machine.write("sys/fs/cgroup/pids.current", "100\n")
    check = machine.checks()["limits.tasks"]
    assert (check.status, check.value) == ("warn", 512)


@pytest.mark.parametrize(
    ("scope", "capabilities", "uid", "status"),
    [
        ("0", "0", 1000, "pass"),
        ("1", "0", 1000, "warn"),
        ("2", "0", 1000, "warn"),
        ("3", "1ffffffffff", 0, "warn"),
        ("1", "1ffffffffff", 0, "pass"),
        (None, "0", 1000, "pass"),
        (None, "0", 0, "warn"),
    ],
)
def test_attaching_depends_on_yama_and_capabilities(machine, scope, capabilities, uid, status) -> None:
    """Root attaches unless nobody may, or its container took the capability."""
    machine.write("proc/self/status", f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}\nCapEff:\t{capabilities}\n")
    if scope is None:
        machine.remove("proc/sys/kernel/yama/ptrace_scope")
    else:
        machine.write("proc/sys/kernel/yama/ptrace_scope", f"{scope}\n")
    assert machine.checks()["limits.ptrace"].status == status

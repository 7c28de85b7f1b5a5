"""The host's memory."""

from __future__ import annotations

import pytest

from dstop.doctor.environment.facts import ContainerFacts, Facts, MemoryFacts
from dstop.testing import make_gpu, make_sample
from dstop.units import GIB, MIB


def test_host_memory_is_held_against_the_gpus(machine) -> None:
    """Less than all cards together warns, as does a limit; without a driver it is unknown."""
    sample = make_sample(8)
    assert machine.checks(sample)["memory.size"].status == "pass"
    machine.write("sys/fs/cgroup/memory.max", str(256 * GIB))
    check = machine.checks(sample)["memory.size"]
    assert (check.status, check.value) == ("warn", 256 * GIB)
    machine.write("sys/fs/cgroup/memory.max", "max\n")
    machine.meminfo(total=128, available=100)
    assert machine.checks(sample)["memory.size"].status == "warn"
    assert machine.checks()["memory.size"].status == "unknown"


def test_memory_that_is_shared_is_not_held_against_itself(by_id) -> None:
    """A GPU without memory of its own asks for no second one."""
    sample = make_sample([make_gpu(0, unified_memory=True)])
    facts = Facts(sample=sample, memory=MemoryFacts(meminfo={"MemTotal": 64 * GIB}))
    assert by_id(facts)["memory.size"].status == "pass"


@pytest.mark.parametrize(("available", "status"), [(1000, "pass"), (150, "warn"), (20, "fail")])
def test_what_is_left_is_judged_by_its_share(machine, available, status) -> None:
    """Below a tenth it warns, below a fiftieth the next allocation is killed."""
    machine.meminfo(total=2048, available=available)
    assert machine.checks()["memory.free"].status == status


def test_a_limit_that_is_nearly_reached_counts(machine) -> None:
    """The control group's room, when it is less than the host's."""
    machine.write("sys/fs/cgroup/memory.max", str(100 * GIB))
    machine.write("sys/fs/cgroup/memory.current", str(99 * GIB))
    check = machine.checks()["memory.free"]
    assert (check.status, check.value) == ("fail", GIB)


def test_kills_are_told(machine) -> None:
    """Those of the control group, those of the host, and the last one's name from the kernel's log."""
    assert machine.checks()["memory.cgroup_kills"].status == "pass"
    assert machine.checks()["memory.host_kills"].status == "pass"
    machine.write("sys/fs/cgroup/memory.events", "oom 3\noom_kill 3\n")
    machine.write("proc/vmstat", "oom_kill 5\n")
    machine.write(
        "dev/kmsg", "3,9,5,-;Memory cgroup out of memory: Killed process 42 (python) total-vm:1kB\n"
    )
    checks = machine.checks()
    assert (checks["memory.cgroup_kills"].status, checks["memory.cgroup_kills"].value) == ("warn", 3)
    assert (checks["memory.host_kills"].status, checks["memory.host_kills"].value) == ("warn", 5)
    assert "python (42)" in checks["memory.host_kills"].says


def test_kills_that_are_not_counted_are_unknown(machine) -> None:
    """An old kernel, or no control group in sight."""
    machine.write("proc/vmstat", "nr_free_pages 1\n")
    machine.remove("sys/fs/cgroup/memory.events")
    checks = machine.checks()
    assert checks["memory.host_kills"].status == "unknown"
    assert checks["memory.cgroup_kills"].status == "unknown"


def test_a_host_that_lives_on_swap_warns(machine) -> None:
    """More than half of it in use; none at all is no fault."""
    assert machine.checks()["memory.swap"].status == "pass"
    machine.meminfo(swap=8, swap_free=7)
    assert machine.checks()["memory.swap"].status == "pass"
    machine.meminfo(swap=8, swap_free=1)
    assert machine.checks()["memory.swap"].status == "warn"


@pytest.mark.parametrize(
    ("size", "free", "status"),
    [
        (64 * MIB, 64 * MIB, "fail"),
        (512 * MIB, 500 * MIB, "warn"),
        (32 * GIB, 20 * GIB, "pass"),
        (32 * GIB, 100 * MIB, "warn"),
        (32 * GIB, 10 * MIB, "fail"),
        (None, None, "fail"),
    ],
)
def test_shared_memory_is_judged(by_id, size, free, status) -> None:
    """Docker's 64 MiB fails, as does a full one and none; little warns."""
    memory = MemoryFacts(shm_bytes=size, shm_free_bytes=free, shm_reason="there is no /dev/shm")
    assert by_id(Facts(memory=memory))["memory.shm"].status == status


@pytest.mark.parametrize(
    ("kind", "word"), [("docker", "--ipc=host"), ("kubernetes", "emptyDir"), (None, "mount -o remount")]
)
def test_the_fix_of_shared_memory_is_that_of_the_place(by_id, kind, word) -> None:
    """Docker, a pod, and a plain host are mended in different ways."""
    facts = Facts(
        memory=MemoryFacts(shm_bytes=64 * MIB, shm_free_bytes=64 * MIB), container=ContainerFacts(kind=kind)
    )
    assert word in str(by_id(facts)["memory.shm"].fix)


def test_shared_memory_is_measured(machine) -> None:
    """The file system's own figures; a folder that is not there has its reason."""
    memory = machine.gather().memory
    assert memory.shm_bytes is not None
    assert memory.shm_free_bytes is not None
    assert memory.shm_bytes >= memory.shm_free_bytes > 0
    (machine.path / "dev/shm").rmdir()
    assert machine.checks()["memory.shm"].status == "fail"


def test_strict_overcommit_warns_and_fails_when_tight(by_id) -> None:
    """By what is promised against what may be."""
    for promised, status in ((10 * GIB, "warn"), (95 * GIB, "fail")):
        memory = MemoryFacts(overcommit=2, meminfo={"CommitLimit": 100 * GIB, "Committed_AS": promised})
        assert by_id(Facts(memory=memory))["memory.overcommit"].status == status


def test_settings_of_address_space(machine) -> None:
    """A kernel's own figures pass, less warns, unreadable is unknown."""
    assert machine.checks()["memory.overcommit"].status == "pass"
    assert machine.checks()["memory.max_map_count"].status == "pass"
    machine.write("proc/sys/vm/max_map_count", "1000")
    assert machine.checks()["memory.max_map_count"].status == "warn"
    machine.remove("proc/sys/vm/max_map_count")
    machine.remove("proc/sys/vm/overcommit_memory")
    assert machine.checks()["memory.max_map_count"].status == "unknown"
    assert machine.checks()["memory.overcommit"].status == "unknown"

"""The machine round the GPUs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dstop.sources.procfs.host import HostReader
from dstop.units import GIB, MIB

if TYPE_CHECKING:
    from pathlib import Path

MEMINFO = """MemTotal:       16777216 kB
MemFree:         1048576 kB
MemAvailable:    8388608 kB
Buffers:          524288 kB
Cached:          2097152 kB
SwapTotal:       2097152 kB
SwapFree:        1048576 kB
"""


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def _machine(root: Path, cgroup: str = "0::/\n") -> str:
    proc = root / "proc"
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text(cgroup)
    (proc / "stat").write_text("cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 1 1 1\nbtime 1\n")
    (proc / "meminfo").write_text(MEMINFO)
    (proc / "loadavg").write_text("3.50 2.00 1.00 1/100 4711\n")
    (proc / "uptime").write_text("12345.67 99999.00\n")
    return str(root)


def _write(root: Path, **files: str) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (root / name.replace("__", ".")).write_text(text)


def test_a_machine_is_read(tmp_path: Path) -> None:
    """Memory, swap, load and uptime come from the kernel's files, in bytes and seconds."""
    host = HostReader(_machine(tmp_path), environ={}).read()
    assert (host.name, host.cpu_count, host.container) == (os.uname().nodename, os.cpu_count(), None)
    assert (host.memory_total_bytes, host.memory_used_bytes) == (16 * GIB, 8 * GIB)
    assert (host.swap_total_bytes, host.swap_used_bytes) == (2 * GIB, GIB)
    assert (host.load_1, host.uptime_s, host.cpu_pct) == (3.5, 12345.67, None)


def test_the_cpu_share_needs_two_readings(tmp_path: Path) -> None:
    """Work over all time since the last reading; waiting for a disk is no work, guests count once."""
    reader = HostReader(_machine(tmp_path), environ={})
    reader.read()
    (tmp_path / "proc" / "stat").write_text("cpu  125 0 125 820 130 0 0 0 90 0\n")
    assert reader.read().cpu_pct == pytest.approx(25.0)
    assert reader.read().cpu_pct == pytest.approx(25.0)


def test_counters_that_go_back_start_anew(tmp_path: Path) -> None:
    """A machine that woke up elsewhere gives no negative share."""
    reader = HostReader(_machine(tmp_path), environ={})
    reader.read()
    (tmp_path / "proc" / "stat").write_text("cpu  1 0 1 7 1 0 0 0 0 0\n")
    assert reader.read().cpu_pct is None


def test_an_old_kernel_without_available_memory(tmp_path: Path) -> None:
    """Free, buffers and cache stand in."""
    root = _machine(tmp_path)
    text = "".join(line for line in MEMINFO.splitlines(keepends=True) if "Available" not in line)
    (tmp_path / "proc" / "meminfo").write_text(text)
    assert HostReader(root, environ={}).read().memory_used_bytes == 16 * GIB - 3584 * MIB


def test_a_container_has_its_own_memory_and_quota(tmp_path: Path) -> None:
    """In cgroup version 2, the limit replaces the machine's total, cache that is given back is not used."""
    root = _machine(tmp_path)
    (tmp_path / ".dockerenv").touch()
    _write(
        tmp_path / "sys/fs/cgroup",
        memory__max=f"{4 * GIB}\n",
        memory__current=f"{3 * GIB}\n",
        memory__stat=f"anon 5\ninactive_file {GIB}\n",
        cpu__max="50000 100000\n",
        cpu__stat="usage_usec 1000000\nuser_usec 1\n",
    )
    clock = Clock()
    reader = HostReader(root, environ={}, clock=clock)
    host = reader.read()
    assert (host.container, host.cpu_count) == ("docker", 1)
    assert (host.memory_total_bytes, host.memory_used_bytes) == (4 * GIB, 2 * GIB)
    _write(tmp_path / "sys/fs/cgroup", cpu__stat="usage_usec 1250000\n")
    clock.now += 1.0
    assert reader.read().cpu_pct == pytest.approx(50.0)


def test_the_lowest_limit_on_the_way_up_binds(tmp_path: Path) -> None:
    """A pod's limit holds for its container, whose own says `max`."""
    root = _machine(tmp_path, "0::/pod/box\n")
    top = tmp_path / "sys/fs/cgroup"
    _write(top / "pod/box", memory__max="max\n", memory__current="5\n")
    _write(top / "pod", memory__max=f"{2 * GIB}\n", memory__current=f"{GIB}\n")
    _write(top, memory__max=f"{8 * GIB}\n", memory__current="7\n")
    host = HostReader(root, environ={"KUBERNETES_SERVICE_HOST": "x"}).read()
    assert (host.memory_total_bytes, host.memory_used_bytes, host.container) == (2 * GIB, GIB, "kubernetes")


def test_version_1_limits(tmp_path: Path) -> None:
    """In cgroup version 1 there are other files, and a huge number for no limit."""
    root = _machine(tmp_path, "4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n")
    (tmp_path / ".dockerenv").touch()
    memory = tmp_path / "sys/fs/cgroup/memory"
    _write(
        memory,
        memory__limit_in_bytes=f"{GIB}\n",
        memory__usage_in_bytes=f"{512 * MIB}\n",
        memory__stat=f"total_inactive_file {MIB}\n",
    )
    _write(
        tmp_path / "sys/fs/cgroup/cpu",
        cpu__cfs_quota_us="25000\n",
        cpu__cfs_period_us="100000\n",
        cpuacct__usage="1000000000\n",
    )
    clock = Clock()
    reader = HostReader(root, environ={}, clock=clock)
    host = reader.read()
    assert (host.memory_total_bytes, host.memory_used_bytes) == (GIB, 511 * MIB)
    _write(tmp_path / "sys/fs/cgroup/cpu", cpuacct__usage="1125000000\n")
    clock.now += 1.0
    assert reader.read().cpu_pct == pytest.approx(50.0)
    _write(memory, memory__limit_in_bytes="9223372036854771712\n")
    assert HostReader(root, environ={}).read().memory_total_bytes == 16 * GIB


def test_limits_above_the_machine_bind_nobody(tmp_path: Path) -> None:
    """A limit of more than there is leaves the machine's own figures."""
    root = _machine(tmp_path)
    (tmp_path / ".dockerenv").touch()
    _write(
        tmp_path / "sys/fs/cgroup",
        memory__max=f"{64 * GIB}\n",
        memory__current=f"{GIB}\n",
        cpu__max="99900000 100000\n",
        cpu__stat="usage_usec 1\n",
    )
    host = HostReader(root, environ={}).read()
    assert (host.memory_total_bytes, host.cpu_count) == (16 * GIB, os.cpu_count())


def test_a_machine_that_says_nothing_is_unknown(tmp_path: Path) -> None:
    """Without any file every figure is None and nothing is 0."""
    host = HostReader(str(tmp_path), environ={}).read()
    assert (host.memory_total_bytes, host.memory_used_bytes, host.load_1, host.uptime_s) == (None,) * 4
    assert (host.cpu_pct, host.swap_total_bytes) == (None, None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(st.binary(max_size=200))
def test_garbage_in_every_file_is_read_without_error(tmp_path: Path, data: bytes) -> None:
    """Whatever the files hold, figures are None or plausible."""
    for name in ("stat", "meminfo", "loadavg", "uptime", "self/cgroup"):
        path = tmp_path / "proc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    reader = HostReader(str(tmp_path), environ={"container": "x"})
    reader.read()
    host = reader.read()
    assert host.cpu_pct is None or 0 <= host.cpu_pct <= 100
    assert host.load_1 is None or host.load_1 >= 0


def test_the_live_host_agrees_with_psutil() -> None:
    """Swap, uptime and processors of this machine are those psutil gives; memory is no more than it has."""
    host, memory = HostReader().read(), psutil.virtual_memory()
    assert host.cpu_count is not None
    assert host.cpu_count <= (psutil.cpu_count() or 1)
    assert host.swap_total_bytes == psutil.swap_memory().total
    assert host.memory_total_bytes is not None
    assert host.memory_total_bytes <= memory.total
    assert host.uptime_s is not None
    assert host.uptime_s > 0

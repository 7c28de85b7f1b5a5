"""A machine as a folder: what the tests of the environment's checks share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dstop.doctor.environment.examine import examine, gather
from dstop.errors import SourceError
from dstop.testing import FakeSource

if TYPE_CHECKING:
    from pathlib import Path

    from dstop.doctor.environment.facts import Facts
    from dstop.doctor.environment.values import Check

LIMITS = """Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max processes             127000               127000               processes
Max open files            {files}                {files}              files
Max locked memory         {locked}             {locked}             bytes
Max address space         {space}            unlimited            bytes
"""
MEMINFO = """MemTotal:       {total} kB
MemAvailable:   {available} kB
SwapTotal:             {swap} kB
SwapFree:              {swap_free} kB
CommitLimit:    {commit} kB
Committed_AS:   {committed} kB
"""
GIB_KIB = 1024 * 1024


class Machine:
    """Files below a folder, as a healthy GPU server would have them."""

    def __init__(self, root: Path) -> None:
        self.path = root
        self.write("proc/self/cgroup", "0::/\n")
        self.write(
            "proc/self/status", "Name:\tdstop\nUid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000000000\n"
        )
        self.limits()
        self.meminfo()
        self.write("proc/vmstat", "nr_free_pages 1\noom_kill 0\n")
        self.write("proc/uptime", "100000.00 1.0\n")
        self.write("proc/modules", "nvidia_uvm 1 0 - Live 0x0\nnvidia 1 1 nvidia_uvm, Live 0x0\n")
        self.write(
            "proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  x\n"
        )
        self.write("proc/sys/vm/overcommit_memory", "0\n")
        self.write("proc/sys/vm/max_map_count", "262144\n")
        self.write("proc/sys/kernel/yama/ptrace_scope", "0\n")
        self.write("sys/fs/cgroup/memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n")
        self.write("sys/fs/cgroup/memory.current", "1000000\n")
        self.write("sys/fs/cgroup/memory.max", "max\n")
        self.write("sys/class/net/eth0", "")
        self.write("sys/class/net/lo", "")
        (root / "sys/class/infiniband").mkdir(parents=True)
        self.write("dev/kmsg", "6,1,1000,-;Linux version 6.8\n")
        for name in ("nvidiactl", "nvidia-uvm", "nvidia0", "nvidia1"):
            self.write(f"dev/{name}", "")
        (root / "dev/shm").mkdir()
        self.link("proc/self/ns/pid", "pid:[4026531836]")
        self.link("proc/self/ns/ipc", "ipc:[4026531839]")
        self.link("proc/self/ns/net", "net:[4026531840]")
        self.link("proc/self/ns/mnt", "mnt:[4026531841]")

    @property
    def root(self) -> str:
        """The folder, as `gather` takes it."""
        return str(self.path)

    def write(self, name: str, text: str) -> None:
        """Put a file there."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def remove(self, name: str) -> None:
        """Take a file away."""
        (self.path / name).unlink()

    def link(self, name: str, target: str) -> None:
        """Put a link there."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    def limits(self, files: str = "1048576", locked: str = "unlimited", space: str = "unlimited") -> None:
        """Set resource limits."""
        self.write("proc/self/limits", LIMITS.format(files=files, locked=locked, space=space))

    def meminfo(self, total: int = 2048, available: int = 1024, swap: int = 0, swap_free: int = 0) -> None:
        """Set the host's memory, in GiB."""
        figures = {
            "total": total * GIB_KIB,
            "available": available * GIB_KIB,
            "swap": swap * GIB_KIB,
            "swap_free": swap_free * GIB_KIB,
            "commit": 1000 * GIB_KIB,
            "committed": 100 * GIB_KIB,
        }
        self.write("proc/meminfo", MEMINFO.format(**figures))

    def torch(self, folder: str, version: str, cuda: str | None, hip: str | None = None) -> None:
        """Install a PyTorch."""
        text = f"__version__ = '{version}'\ncuda: Optional[str] = {cuda!r}\nhip: Optional[str] = {hip!r}\n"
        self.write(f"{folder.lstrip('/')}/torch/version.py", text)

    def process(
        self,
        pid: int,
        state: str = "S",
        *,
        environ: dict[str, str] | None = None,
        devices: tuple[str, ...] = ("/dev/nvidia0", "/dev/nvidia-uvm"),
        network: str = "net:[4026531840]",
    ) -> None:
        """Start a process that has GPUs open."""
        fields = ["0"] * 50
        fields[0], fields[1], fields[17], fields[19] = state, "1", "1", "1000"
        self.write(f"proc/{pid}/stat", f"{pid} (python) {' '.join(fields)}\n")
        pairs = "".join(f"{name}={value}\0" for name, value in (environ or {}).items())
        self.write(f"proc/{pid}/environ", pairs)
        self.write(f"proc/{pid}/limits", LIMITS.format(files="1024", locked="unlimited", space="unlimited"))
        self.link(f"proc/{pid}/ns/net", network)
        self.link(f"proc/{pid}/ns/mnt", "mnt:[4026531841]")
        for number, device in enumerate(devices):
            self.link(f"proc/{pid}/fd/{number}", device)

    def gather(self, sample=None, environ: dict[str, str] | None = None) -> Facts:
        """Gather with this sample, or with a driver that is not there."""
        step = SourceError("no driver", fix="install it") if sample is None else sample
        return gather(self.root, environ or {}, lambda: FakeSource([step]), board_reader=None)

    def checks(self, sample=None, environ: dict[str, str] | None = None) -> dict[str, Check]:
        """Gather and examine; by id."""
        return {check.id: check for check in examine(self.gather(sample, environ))}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Give a healthy machine."""
    return Machine(tmp_path / "root")


@pytest.fixture
def by_id():
    """Give a function that examines facts and gives the checks by id."""
    return lambda facts: {check.id: check for check in examine(facts)}

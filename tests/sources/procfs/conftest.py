"""A `/proc` that is a folder: what the tests of the host share."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def stat_line(
    pid: int, comm: str = "python", *, state: str = "S", ppid: int = 1, start: int = 1000, **more: int
) -> str:
    """Write a line as proc_pid_stat(5) describes it: 52 fields."""
    fields = ["0"] * 50
    fields[0], fields[1] = state, str(ppid)
    fields[11], fields[12] = str(more.get("utime", 0)), str(more.get("stime", 0))
    fields[17], fields[19], fields[21] = (
        str(more.get("threads", 1)),
        str(start),
        str(more.get("rss_pages", 0)),
    )
    return f"{pid} ({comm}) {' '.join(fields)}\n"


class Tree:
    """Processes as files. What is written is what a kernel would say."""

    def __init__(self, root: Path) -> None:
        self.path = root
        (root / "self" / "ns").mkdir(parents=True)
        self.namespace("4026531836")
        (root / "stat").write_text("cpu  100 0 100 800 0 0 0 0 0 0\nbtime 1700000000\nprocesses 5\n")

    @property
    def root(self) -> str:
        """The folder, as the functions take it."""
        return str(self.path)

    def namespace(self, number: str) -> None:
        """Set the PID namespace that we are in."""
        link = self.path / "self" / "ns" / "pid"
        link.unlink(missing_ok=True)
        link.symlink_to(f"pid:[{number}]")

    def add(
        self,
        pid: int,
        *cmdline: str,
        environ: dict[str, str] | None = None,
        cgroup: str = "0::/\n",
        nspid: str = "",
        comm: str = "python",
        **stat: int | str,
    ) -> Path:
        """Start a process, or let it say something else."""
        folder = self.path / str(pid)
        folder.mkdir(exist_ok=True)
        (folder / "stat").write_text(stat_line(pid, comm, **stat))
        (folder / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in cmdline))
        pairs = (f"{name}={value}\0" for name, value in (environ or {}).items())
        (folder / "environ").write_bytes("".join(pairs).encode())
        (folder / "cgroup").write_text(cgroup)
        (folder / "status").write_text(f"Name:\t{comm}\nNSpid:\t{nspid or pid}\n")
        return folder

    def open_file(self, pid: int, *targets: str, thread: int | None = None) -> None:
        """Give a process, or one thread of it, open files."""
        folder = self.path / str(pid) / ("fd" if thread is None else f"task/{thread}/fd")
        folder.mkdir(parents=True, exist_ok=True)
        for number, target in enumerate(targets):
            (folder / str(number)).symlink_to(target)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Give an empty machine that was booted in November 2023."""
    return Tree(tmp_path / "proc")


class Live:
    """Real processes that end with the test."""

    def __init__(self) -> None:
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, arguments: Sequence[str], environ: dict[str, str] | None = None) -> int:
        """Start a program and wait until it is that program and no longer a fork of ours."""
        process = subprocess.Popen(arguments, env=environ, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self.started.append(process)
        own = Path("/proc/self/cmdline").read_bytes()
        for _ in range(500):
            if Path(f"/proc/{process.pid}/cmdline").read_bytes() not in {b"", own}:
                break
            time.sleep(0.01)
        return process.pid

    def python(self, code: str, *arguments: str, environ: dict[str, str] | None = None) -> int:
        """Run a piece of Python."""
        return self.start([sys.executable, "-c", code, *arguments], environ)

    def end(self) -> None:
        """Kill and bury what was started."""
        for process in self.started:
            process.kill()
        for process in self.started:
            process.wait()
            if process.stdin is not None:
                process.stdin.close()


@pytest.fixture
def live() -> Iterator[Live]:
    """Give a starter of real processes."""
    processes = Live()
    yield processes
    processes.end()


@pytest.fixture
def no_root() -> None:
    """Skip where permissions do not bind us."""
    if os.geteuid() == 0:
        pytest.skip("root may read everything")

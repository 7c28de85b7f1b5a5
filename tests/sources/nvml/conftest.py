"""Twins of the host and of the driver, and a source on the simulated machine, closed after the test."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from dstop.model.host import Host
from dstop.model.process import ProcessFacts
from dstop.sources.nvml.reasons import absent
from dstop.sources.nvml.source import NvmlSource
from dstop.sources.procfs.table import HostView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GIB = 2**30


class TwinHost:
    """A host that knows every PID except those in `strangers`, and counts how often it is asked."""

    def __init__(self) -> None:
        self.container = None
        self.strangers: dict[int, str] = {}
        self.found = ()
        self.asked = 0
        self.scans = 0
        self.stopped = False
        self.totals = (512 * GIB, 100 * GIB)

    def views(self, pids, _now_s):
        """Give a view of each PID."""
        self.asked += 1
        return {pid: self._view(pid) for pid in pids}

    def _view(self, pid):
        why = self.strangers.get(pid)
        if why is not None:
            return HostView(
                facts=ProcessFacts(pid=pid, unavailable={"command": why}), unavailable={"cpu_pct": why}
            )
        facts = ProcessFacts(pid=pid, started_at_s=float(pid), command=f"job{pid}")
        return HostView(facts=facts, cpu_pct=1.0, rss_bytes=GIB, state="R")

    def host(self):
        """Give the host's totals."""
        return Host(name="twin", memory_total_bytes=self.totals[0], memory_used_bytes=self.totals[1])

    def holders(self, _minor_to_index):
        """Give those that the test put there."""
        self.scans += 1
        return self.found, True

    def stop(self):
        """Remember it."""
        self.stopped = True


class TwinDriver:
    """A driver of answers by function name: a value, an error code wrapped by `absent`, or a function."""

    def __init__(self, **answers) -> None:
        self.answers = answers
        self.calls: list[tuple] = []
        self.nvml = SimpleNamespace(nvmlMemory_v2=0x02000028)

    def ask(self, name, *args):
        """Answer as pynvml would."""
        self.calls.append((name, *args))
        answer = self.answers.get(name, absent(13))
        return answer(*args) if callable(answer) else answer

    def raw(self, name, *args):
        """Answer as the library would, with a code."""
        self.calls.append((name, *args))
        answer = self.answers.get(name, 13)
        return answer(*args) if callable(answer) else answer

    def text(self, name, *handle):
        """Answer with text."""
        return self.ask(name, *handle)


@pytest.fixture
def twin_host() -> TwinHost:
    """Give a host that knows everybody."""
    return TwinHost()


@pytest.fixture
def twin_driver() -> Callable[..., TwinDriver]:
    """Give the class of drivers that answer as they are told."""
    return TwinDriver


@pytest.fixture
def machine(rig, twin_host) -> Iterator[Callable[..., NvmlSource]]:
    """Give a function that makes a source on the simulated machine with these settings."""
    sources: list[NvmlSource] = []

    def make(gpus: int = 2, procs: int = 3, board: str = "h100", host=None, **extra) -> NvmlSource:
        if "pids" not in extra and not rig._pid_file.exists():
            extra["pids"] = ",".join(str(1000 + number) for number in range(max(1, gpus * procs)))
        rig.use(gpus=gpus, procs=procs, board=board, **extra)
        source = NvmlSource(host=host or twin_host)
        sources.append(source)
        return source

    yield make
    for source in sources:
        source.close()
    # What hangs is let go, so that the next test does not meet it.
    rig.faults("")

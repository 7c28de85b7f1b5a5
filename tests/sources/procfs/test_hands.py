"""The hands of a live machine, on processes that live."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dstop.errors import DstopError
from dstop.sources.procfs.hands import HostHands
from dstop.sources.procfs.stat import read_stat, started_at_s

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits, with a secret in its environment."""
    environ = {**os.environ, "HF_TOKEN": "hf_abcdefghij", "DSTOP_TEST": "yes"}
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env=environ)
    yield process
    process.kill()
    process.wait()


def start_of(pid: int) -> float | None:
    """When the kernel says it began."""
    stat = read_stat(pid)
    return None if stat is None else started_at_s(stat.start_ticks)


def test_the_environment_is_given_and_its_secrets_are_not(sleeper: subprocess.Popen[bytes]) -> None:
    """A token never reaches a screen."""
    detail = HostHands().detail(sleeper.pid, start_of(sleeper.pid))
    assert detail.environment is not None
    values = dict(detail.environment)
    assert values["DSTOP_TEST"] == "yes"
    assert "abcdefghij" not in values["HF_TOKEN"]
    assert detail.ancestors[0][0] == os.getpid()


def test_another_process_of_that_number_says_nothing(sleeper: subprocess.Popen[bytes]) -> None:
    """A reused PID shows the reason, not a stranger's environment."""
    detail = HostHands().detail(sleeper.pid, 1.0)
    assert detail.environment is None
    assert detail.unavailable["environment"] == "the process has ended"
    assert "namespace" in HostHands().detail(sleeper.pid, None).unavailable["environment"]


def test_parents_lead_to_the_first_process(sleeper: subprocess.Popen[bytes]) -> None:
    """Each step names its parent, up to one that has none here."""
    found = HostHands().parents([sleeper.pid])
    assert found[sleeper.pid][0] == os.getpid()
    pid: int | None = sleeper.pid
    steps = 0
    while pid is not None and pid in found:
        pid, steps = found[pid][0], steps + 1
    assert steps >= 2


def test_parents_of_nobody_are_none() -> None:
    """A PID that is not there has no entry."""
    assert HostHands().parents([2**22 + 5]) == {}


def test_a_signal_reaches_this_process_and_no_other(sleeper: subprocess.Popen[bytes]) -> None:
    """The start time decides."""
    with pytest.raises(DstopError):
        HostHands().signal(sleeper.pid, 1.0, signal.SIGTERM)
    assert sleeper.poll() is None
    HostHands().signal(sleeper.pid, start_of(sleeper.pid), signal.SIGTERM)
    assert sleeper.wait(10) == -signal.SIGTERM


def test_who_a_process_is_comes_with_it(sleeper: subprocess.Popen[bytes]) -> None:
    """A process that no card lists has its command and user all the same; one that has ended is said to have."""
    start_s = start_of(sleeper.pid)
    deadline_s = time.monotonic() + 60
    while not Path(f"/proc/{sleeper.pid}/cmdline").read_bytes() and time.monotonic() < deadline_s:
        time.sleep(0.01)  # between fork and the end of exec there is none
    detail = HostHands().detail(sleeper.pid, start_s)
    assert detail.facts is not None
    assert detail.facts.cmdline == (sys.executable, "-c", "import time; time.sleep(60)")
    assert (detail.facts.uid, detail.has_ended) == (os.getuid(), False)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert HostHands().detail(sleeper.pid, start_s).has_ended, "a zombie"
    sleeper.wait()
    assert HostHands().detail(sleeper.pid, start_s).has_ended

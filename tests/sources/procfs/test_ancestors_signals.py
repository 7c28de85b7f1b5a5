"""Where processes come from, and how they are told to go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from dstop.errors import DstopError, UsageError
from dstop.sources.procfs.ancestors import Ancestor, ancestors
from dstop.sources.procfs.signals import send_signal
from dstop.sources.procfs.stat import read_stat, started_at_s

if TYPE_CHECKING:
    from conftest import Live, Tree


def test_the_way_up_is_nearest_first(tree: Tree) -> None:
    """Parents come in order, with the names that a row has."""
    tree.add(1, "/sbin/init", ppid=0, comm="systemd")
    tree.add(10, "bash", "run.sh", ppid=1, comm="bash")
    tree.add(20, "python", "/bin/torchrun", "t.py", ppid=10, state="D", comm="torchrun")
    tree.add(30, "python", "t.py", ppid=20)
    assert ancestors(30, root=tree.root) == (
        Ancestor(20, "torchrun", "D"),
        Ancestor(10, "run.sh", "S"),
        Ancestor(1, "init", "S"),
    )


def test_a_chain_that_bites_its_tail_ends(tree: Tree) -> None:
    """Numbers reused between two reads make no endless chain."""
    tree.add(10, "a", ppid=20)
    tree.add(20, "b", ppid=10)
    assert [one.pid for one in ancestors(10, root=tree.root)] == [20]


def test_the_chain_is_bounded(tree: Tree) -> None:
    """A thousand parents are cut at the limit."""
    for pid in range(2, 100):
        tree.add(pid, "a", ppid=pid - 1)
    assert len(ancestors(99, root=tree.root)) == 32
    assert len(ancestors(99, 5, root=tree.root)) == 5


def test_nobody_has_no_parents(tree: Tree) -> None:
    """A number nobody has has no ancestors."""
    assert ancestors(4711, root=tree.root) == ()


def test_a_live_child_comes_from_us(live: Live) -> None:
    """The first ancestor of our child is this process."""
    pid = live.python("import sys; sys.stdin.read()")
    assert ancestors(pid)[0].pid == os.getpid()


def _start(pid: int) -> float | None:
    stat = read_stat(pid)
    assert stat is not None
    return started_at_s(stat.start_ticks)


def test_a_signal_arrives(live: Live) -> None:
    """The process that was meant gets it."""
    pid = live.python("import sys; sys.stdin.read()")
    send_signal(pid, _start(pid), signal.SIGTERM)
    assert live.started[0].wait(20) == -signal.SIGTERM


def test_a_signal_arrives_where_the_kernel_has_no_handles(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without pidfd_open, kill does it."""
    monkeypatch.delattr(os, "pidfd_open")
    pid = live.python("import sys; sys.stdin.read()")
    send_signal(pid, _start(pid), signal.SIGKILL)
    assert live.started[0].wait(20) == -signal.SIGKILL


def test_the_next_process_of_that_number_is_spared(live: Live) -> None:
    """Another start time means another process: it gets nothing."""
    pid = live.python("import sys; sys.stdin.read()")
    start = _start(pid)
    assert start is not None
    with pytest.raises(DstopError, match="another process now"):
        send_signal(pid, start - 60, signal.SIGKILL)
    time.sleep(0.05)
    assert live.started[0].poll() is None


@pytest.mark.parametrize("handles", [True, False])
def test_a_process_that_is_gone_is_said_to_be(handles: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A buried process gets one line, not a traceback."""
    if not handles:
        monkeypatch.delattr(os, "pidfd_open")
    process = subprocess.Popen([sys.executable, "-c", ""])
    start = _start(process.pid)
    process.wait()
    with pytest.raises(DstopError, match="is gone") as caught:
        send_signal(process.pid, start, signal.SIGTERM)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("pid", "start", "signum", "says"),
    [
        (1, 1.0, signal.SIGTERM, "whole system"),
        (0, 1.0, signal.SIGTERM, "whole system"),
        (-1, 1.0, signal.SIGTERM, "whole system"),
        (os.getpid(), 1.0, signal.SIGTERM, "dstop itself"),
        (os.getppid(), None, signal.SIGTERM, "--pid=host"),
        (os.getppid(), 1.0, 0, "no signal"),
        (os.getppid(), 1.0, 999, "no signal"),
    ],
    ids=("init", "group", "all", "self", "unseen", "zero", "unknown"),
)
def test_what_nobody_should_ask_for_is_refused(pid: int, start: float | None, signum: int, says: str) -> None:
    """The system, dstop itself and processes out of sight get nothing."""
    with pytest.raises(UsageError, match=says) as caught:
        send_signal(pid, start, signum)
    assert caught.value.exit_code == 2


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_process_of_somebody_else_is_refused(live: Live) -> None:
    """What the kernel does not permit is said in one line, with what would help."""
    pid = live.python("import sys; sys.stdin.read()")
    start = _start(pid)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        try:
            os.setgid(65534)
            os.setuid(65534)
            send_signal(pid, start, signal.SIGKILL)
        except DstopError as error:
            os.write(write, str(error).encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    said = os.read(read, 4096).decode()
    os.close(read)
    assert "not yours" in said
    assert "as root" in said
    assert live.started[0].poll() is None

"""One process in one read."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import psutil
from hypothesis import given
from hypothesis import strategies as st

from dstop.sources.procfs.stat import (
    PAGE_BYTES,
    TICKS_PER_S,
    StatFiles,
    boot_time_s,
    parse_stat,
    read_stat,
    same_start,
    started_at_s,
)

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Live, Tree


def _line(comm: bytes) -> bytes:
    rest = b"R 7 1 1 0 -1 4194304 1 0 0 0 30 12 0 0 20 0 5 0 4711 1000 25 18446744073709551615 1 1 0 0"
    return b"42 (" + comm + b") " + rest


def test_every_figure_comes_from_its_own_column() -> None:
    """The columns are those of proc_pid_stat(5)."""
    stat = parse_stat(_line(b"python"))
    assert stat is not None
    assert (stat.pid, stat.comm, stat.state, stat.ppid) == (42, "python", "R", 7)
    assert (stat.cpu_ticks, stat.threads, stat.start_ticks, stat.rss_bytes) == (42, 5, 4711, 25 * PAGE_BYTES)


@given(st.binary(max_size=64))
def test_a_name_of_any_bytes_moves_no_column(name: bytes) -> None:
    """Parentheses, spaces and newlines in a name change nothing behind it, and it is safe to show."""
    stat = parse_stat(_line(name))
    assert stat is not None
    assert (stat.state, stat.ppid, stat.start_ticks) == ("R", 7, 4711)
    assert stat.comm == "" or stat.comm.isprintable()


@given(st.binary(max_size=400))
def test_garbage_is_no_process(data: bytes) -> None:
    """Whatever a file holds, reading it raises nothing."""
    stat = parse_stat(data)
    assert stat is None or stat.state in "RSDTtZXxKWPI"


def test_negative_figures_are_no_process() -> None:
    """A memory size below zero is not shown as one."""
    assert parse_stat(_line(b"x").replace(b" 25 ", b" -25 ")) is None


def test_a_truncated_line_is_no_process() -> None:
    """A line that ends before the memory size says nothing."""
    assert parse_stat(_line(b"x")[:60]) is None


def test_a_live_process_reads_as_psutil_reads_it() -> None:
    """Start, parent and memory of this very process agree with psutil's."""
    stat, known = read_stat(os.getpid()), psutil.Process()
    assert stat is not None
    assert stat.ppid == os.getppid()
    start = started_at_s(stat.start_ticks)
    assert start is not None
    assert abs(start - known.create_time()) <= 1.0
    assert abs(stat.rss_bytes - known.memory_info().rss) < 64 << 20
    times = known.cpu_times()
    assert stat.cpu_ticks / TICKS_PER_S <= times.user + times.system + 0.02


def test_a_busy_process_has_more_ticks(live: Live) -> None:
    """Ticks grow while a process computes."""
    pid = live.python("while True: pass")
    first = read_stat(pid)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        second = read_stat(pid)
        if first is not None and second is not None and second.cpu_ticks > first.cpu_ticks + 2:
            return
    raise AssertionError("a busy loop used no CPU")


def test_a_name_is_read_to_its_last_parenthesis(tree: Tree) -> None:
    """A process that calls itself `a) R (b` is read right from a file too."""
    tree.add(5, comm="a) R (b", state="D", start=77)
    stat = read_stat(5, tree.root)
    assert stat is not None
    assert (stat.comm, stat.state, stat.start_ticks) == ("a) R (b", "D", 77)


def test_no_process_is_none(tree: Tree) -> None:
    """A number nobody has gives None."""
    assert read_stat(4711, tree.root) is None


def test_start_is_boot_plus_ticks(tree: Tree) -> None:
    """The start time is seconds since the epoch."""
    assert started_at_s(150, tree.root) == 1700000000 + 150 / TICKS_PER_S


def test_the_boot_time_does_not_move_with_the_clock(tree: Tree) -> None:
    """Setting the clock moves btime; a process stays the one it was."""
    assert boot_time_s(tree.root) == 1700000000.0
    (tree.path / "stat").write_text("cpu 1 1 1 1\nbtime 1700000005\n")
    assert boot_time_s(tree.root) == 1700000000.0


def test_without_a_boot_time_there_is_no_start(tmp_path: Path) -> None:
    """A garbled `/proc/stat` gives no start time, not the year 1970."""
    (tmp_path / "stat").write_text("cpu 1 2 3\nbtime soon\n")
    assert started_at_s(150, str(tmp_path)) is None


def test_open_files_follow_their_process(live: Live) -> None:
    """A file that stays open gives newer figures, and nothing once its process is buried."""
    files, pid = StatFiles(), live.python("import sys; sys.stdin.read()")
    # An interpreter that is still starting has other figures at every look: it stands still while two are compared.
    os.kill(pid, signal.SIGSTOP)
    os.waitpid(pid, os.WUNTRACED)
    first = files.read(pid)
    assert first is not None
    assert len(files) == 1
    assert files.read(pid) == first
    live.started[0].kill()
    live.started[0].wait()
    assert files.read(pid) is None
    assert len(files) == 0


def test_open_files_are_bounded_and_closed(live: Live) -> None:
    """No more stay open than allowed; what is not kept is closed, and the figures are the same."""
    pids = [live.python("import sys; sys.stdin.read()") for _ in range(3)]
    files = StatFiles(most_open=2)
    read = [files.read(pid) for pid in pids]
    assert [stat is not None and stat.pid for stat in read] == pids
    assert len(files) == 2
    files.keep({pids[0]})
    assert len(files) == 1
    files.close()
    assert len(files) == 0
    assert files.read(pids[0]) is not None
    assert len(files) == 0


def test_plain_files_are_not_kept_open(tree: Tree) -> None:
    """Only the kernel's files say that their process has ended: a folder of files is opened each time."""
    files, folder = StatFiles(tree.root), tree.add(5)
    assert files.read(5) is not None
    assert len(files) == 0
    (folder / "stat").unlink()
    assert files.read(5) is None


def test_a_start_that_is_not_known_is_nobodys(tree: Tree) -> None:
    """Only the same start is the same process; writing it as text may cost a hundredth of a second."""
    tree.add(5, start=150)
    stat = read_stat(5, tree.root)
    assert stat is not None
    start = 1700000000 + 150 / TICKS_PER_S
    assert same_start(stat, start + 0.01, tree.root)
    assert not same_start(stat, start + 1, tree.root)
    assert not same_start(stat, None, tree.root)

"""The process that is to be looked into, by /proc alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dstop.errors import AttachError
from dstop.pytorch.target import find_target, is_alive, is_stopped, map_uid, maps_torch, read_start
from dstop.sources.procfs.facts import read_facts

STATUS = """Name:\tpython
State:\tS (sleeping)
TracerPid:\t{tracer}
Uid:\t1000\t100001\t1000\t1000
Gid:\t1000\t100002\t1000\t1000
NSpid:\t4711\t17
VmSize:\t 1000 kB
"""
STAT = (
    "4711 (python) S 1 1 1 0 -1 4194304 1 0 0 0 30 12 0 0 20 0 5 0 815 1000 25 18446744073709551615 1 1 0 0"
)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """Give a /proc with one process of a rootless container in it."""
    folder = tmp_path / "4711"
    folder.mkdir()
    (tmp_path / "stat").write_text("cpu 1 2 3\nbtime 1700000000\n")
    (folder / "stat").write_text(STAT)
    (folder / "status").write_text(STATUS.format(tracer=9))
    (folder / "uid_map").write_text("         0     100000      65536\n")
    (folder / "environ").write_bytes(b"XDG_RUNTIME_DIR=/run/user/1\0DSTOP_DIR=/scratch/d\0DSTOP_HOOK=0\0")
    (folder / "maps").write_text("7f00-7f01 r--p 00000000 00:00 1 /usr/lib/libtorch_cpu.so\n")
    return tmp_path


def test_a_target_is_known_by_its_own_numbers(proc: Path) -> None:
    """PID and user as its container numbers them, the start as the kernel writes it, the wishes of its environment."""
    target = find_target(4711, str(proc))
    assert (target.pid, target.inner_pid, target.start) == (4711, 17, "815")
    assert (target.uid, target.inner_uid, target.gid) == (100001, 1, 100002)
    assert (target.state, target.command, target.tracer_pid, target.has_torch) == ("S", "python", 9, True)
    assert (target.dstop_dir, target.runtime_dir, target.hook_switch) == ("/scratch/d", "/run/user/1", "0")
    assert target.socket_name == "17-815.sock"


def test_a_target_and_its_row_are_the_same_process(proc: Path) -> None:
    """The identity equals that of the overview to the last digit: guests are matched to rows by it."""
    facts = read_facts(4711, str(proc))
    assert find_target(4711, str(proc)).id == (facts.pid, facts.started_at_s)


def test_what_may_hang_is_read_only_when_asked(proc: Path) -> None:
    """The polling thread looks neither at the mappings nor, in state D, at the environment."""
    assert find_target(4711, str(proc), look_inside=False).has_torch is None
    assert find_target(4711, str(proc), look_inside=False).dstop_dir == "/scratch/d"
    (proc / "4711" / "stat").write_text(STAT.replace(") S ", ") D "))
    assert find_target(4711, str(proc), look_inside=False).dstop_dir is None
    assert find_target(4711, str(proc)).dstop_dir == "/scratch/d"


def test_a_thread_of_the_kernel_is_one(proc: Path) -> None:
    """No memory of its own: nothing to look into."""
    assert not find_target(4711, str(proc)).is_kernel_thread
    status = proc / "4711" / "status"
    status.write_text(status.read_text().replace("VmSize:\t 1000 kB\n", "Kthread:\t1\n"))
    assert find_target(4711, str(proc)).is_kernel_thread


def test_no_such_process_is_an_error_with_a_way_out(proc: Path) -> None:
    """A typing error in a PID costs one line."""
    with pytest.raises(AttachError, match="no process 12") as caught:
        find_target(12, str(proc))
    assert caught.value.fix


def test_torch_is_found_wherever_it_stands(proc: Path) -> None:
    """Also where its name is split between two reads, and nowhere else."""
    maps = proc / "4711" / "maps"
    for before in range((1 << 16) - 12, (1 << 16) + 2):
        maps.write_bytes(b"x" * before + b"/libtorch.so\n")
        assert maps_torch(4711, str(proc)), before
    maps.write_bytes(b"/usr/lib/libc.so\n" * 9000)
    assert maps_torch(4711, str(proc)) is False
    maps.unlink()
    assert maps_torch(4711, str(proc)) is None


@pytest.mark.parametrize(
    ("uid", "text", "inner"),
    [
        (1000, "0 0 4294967295", 1000),
        (100005, "0 100000 65536", 5),
        (1000, "0 1000 1\n1 100000 65536", 0),
        (7, "0 1000 1\n1 100000 65536", 7),
        (7, "garbage\n1 2\n-1 -2 -3", 7),
        (7, "", 7),
    ],
)
def test_users_are_mapped_as_the_kernel_does(uid: int, text: str, inner: int) -> None:
    """The lines of user_namespaces(7): inside, outside, how many."""
    assert map_uid(uid, text) == inner


def test_a_real_process_is_itself() -> None:
    """This one: alive, ours, and its start is field 22."""
    target = find_target(os.getpid())
    assert target.start == Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    assert target.start == read_start(os.getpid())
    assert (target.uid, target.gid) == (os.geteuid(), os.getegid())
    assert is_alive(target)
    assert not is_stopped(target)


def test_a_process_that_ended_is_not_alive() -> None:
    """A zombie is over, and so is a number that nobody has."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    target = find_target(child.pid)
    child.kill()
    deadline_s = time.monotonic() + 60
    while is_alive(target) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert find_target(child.pid).state == "Z"
    assert not is_alive(target)
    child.communicate()
    assert not is_alive(target)


def test_a_thread_is_no_target(proc: Path) -> None:
    """`top -H` and `py-spy` show numbers of threads: what is wanted is the process."""
    status = proc / "4711" / "status"
    status.write_text(status.read_text() + "Tgid:\t4700\n")
    with pytest.raises(AttachError, match=r"4711 is a thread of process 4700 \(python\)") as caught:
        find_target(4711, str(proc))
    assert caught.value.fix == "give the PID 4700"

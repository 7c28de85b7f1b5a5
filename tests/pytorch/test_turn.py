"""One dstop at a time, Ctrl-C that waits, and where a process is."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dstop.pytorch.interrupts import held_back
from dstop.pytorch.rendezvous import prepare
from dstop.pytorch.target import Target, find_target
from dstop.pytorch.turn import LOCK_NAME, turn
from dstop.pytorch.whereabouts import whereabouts

if TYPE_CHECKING:
    from collections.abc import Iterator

HOLDER = """
import os, sys, time
from dataclasses import replace
from dstop.pytorch.rendezvous import Place
from dstop.pytorch.target import find_target
from dstop.pytorch.turn import turn
target = replace(find_target(int(sys.argv[1])), dstop_dir=sys.argv[2], runtime_dir=None)
place = Place(directory=sys.argv[2], name=target.socket_name)
with turn(target, place, deadline_s=float("inf"), arrived=lambda: False, waiting=lambda: None) as ours:
    print("ours", ours, flush=True)
    time.sleep(1000)
"""


@pytest.fixture
def target() -> Iterator[Target]:
    """Give this process, with a directory of its own."""
    path = Path(tempfile.mkdtemp(prefix="ds-"))
    yield replace(find_target(os.getpid()), dstop_dir=str(path / "d"), runtime_dir=None)
    shutil.rmtree(path)


def _turn(target: Target, wait_s: float, said: list[str], *, arrived: bool = False) -> bool:
    deadline_s = time.monotonic() + wait_s
    with turn(
        target,
        prepare(target),
        deadline_s=deadline_s,
        arrived=lambda: arrived,
        waiting=lambda: said.append("waiting"),
    ) as ours:
        return ours


def test_the_turn_of_a_dstop_that_was_killed_is_over(target: Target) -> None:
    """Meanwhile another one waits, says so once, and gives up when the hook is there or the time is over."""
    place, said = prepare(target), []
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(os.getpid()), place.directory], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ours True\n"
        assert not _turn(target, 0.1, said)
        assert said == ["waiting"]
        assert not _turn(target, 60, said, arrived=True)
        assert _turn(replace(target, inner_pid=target.inner_pid + 1), 60, said)
    finally:
        holder.kill()
        holder.communicate()
    assert _turn(target, 60, said)
    assert said == ["waiting"]


def test_whoever_cannot_lock_goes_without(target: Target) -> None:
    """A target that plants something in the place of the lock gains nothing."""
    place = prepare(target)
    (Path(place.directory) / LOCK_NAME).symlink_to("/etc/passwd")
    assert _turn(target, 0.0, [])


def test_an_interrupt_waits_for_the_end_of_the_block() -> None:
    """It is seen within, comes once afterwards, and the next one comes at once again."""
    steps = []
    with pytest.raises(KeyboardInterrupt), held_back() as signals:  # noqa: PT012 - what happens inside is the test
        assert not signals
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        steps.append(bool(signals))
        with held_back() as inner:
            signal.raise_signal(signal.SIGINT)
            steps.append(bool(inner))
        steps.append("end")
    assert steps == [True, True, "end"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_an_error_in_the_block_leaves_the_handlers_as_they_were() -> None:
    """The interrupt that comes after it is an interrupt."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(ZeroDivisionError), held_back():
        raise ZeroDivisionError
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_other_threads_have_no_interrupts_to_hold_back() -> None:
    """Python runs handlers in the main thread alone."""
    seen = []

    def work() -> None:
        before = signal.getsignal(signal.SIGINT)
        with held_back() as signals:
            seen.append((bool(signals), signal.getsignal(signal.SIGINT) == before))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, True)]


def test_where_a_process_waits_is_said_in_words(tmp_path: Path) -> None:
    """By its system call; running; hung in the kernel; or not to be seen."""
    if os.uname().machine != "x86_64":
        pytest.skip("the numbers of system calls are those of x86-64")
    folder = tmp_path / "42"
    folder.mkdir()
    stat = "42 (python) {} 7 1 1 0 -1 4194304 1 0 0 0 30 12 0 0 20 0 5 0 4711 1000 25 0 1 1 0 0"
    (folder / "stat").write_text(stat.format("S"))
    for line, words in {
        "202 0x7f 0x0": "waits in futex",
        "999 0x7f": "waits in system call 999",
        "running\n": "runs code",
        "": "cannot be seen",
        "x": "cannot be seen",
    }.items():
        (folder / "syscall").write_text(line)
        assert words in whereabouts(42, str(tmp_path))
    (folder / "stat").write_text(stat.format("D"))
    (folder / "wchan").write_text("nvidia_ioctl")
    assert "hangs in the kernel (nvidia_ioctl)" in whereabouts(42, str(tmp_path))
    assert "cannot be seen" in whereabouts(43, str(tmp_path))

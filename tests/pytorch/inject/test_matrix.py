"""The injector against interpreters that sleep, compute, collect, allocate, and hold the GIL."""

from __future__ import annotations

import subprocess

import pytest

from dstop.pytorch.inject.delivery import StillWaitingError
from dstop.pytorch.inject.injector import inject

VERSIONS = ("3.10", "3.11", "3.12", "3.13")
MODES = ("sleep", "recv", "joinmain", "busy", "gc", "malloc", "threads8")
TIMES = 3
TIMEOUT_S = 30.0


def _python(pythons: dict[str, str], version: str) -> str:
    if version not in pythons:
        pytest.skip(f"no Python {version} on this machine")
    return pythons[version]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", MODES)
def test_text_runs_and_nobody_is_hurt(pythons, start_target, mode, version) -> None:
    """Whatever the target does, the text runs, every time, and the target goes on with right results."""
    target = start_target(_python(pythons, version), mode)
    for count in range(1, TIMES + 1):
        assert inject(target.pid, target.text, timeout_s=TIMEOUT_S).status == "done"
        assert target.hits == count
    assert target.unharmed()
    if mode not in {"sleep", "recv"}:
        assert target.goes_on()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", ["sleep", "busy"])
def test_the_main_thread_alone_is_enough(pythons, start_target, mode, version) -> None:
    """A process of one thread is injected into through that thread, which then goes on as before."""
    target = start_target(_python(pythons, version), mode, beats=False)
    injection = inject(target.pid, target.text, timeout_s=TIMEOUT_S, main_only=True)
    assert injection.samples >= 1
    assert injection.longest_stop_us > 0
    assert target.hits == 1
    assert target.unharmed()
    assert target.until(lambda: len(target.threads()) == 1)


def test_a_process_that_is_in_malloc_all_the_time(python, start_target) -> None:
    """Where the main thread allocates in C, the heartbeat's thread, asleep, is borrowed instead."""
    target = start_target(python, "cmalloc")
    assert inject(target.pid, target.text, timeout_s=TIMEOUT_S).how == "clock_nanosleep"
    assert target.unharmed()
    assert target.goes_on()


def test_numpy_computes_right_while_text_is_injected(pythons, start_target) -> None:
    """The vector registers of a borrowed thread come back as they were."""
    for path in pythons.values():
        if subprocess.run([path, "-c", "import numpy"], capture_output=True, check=False).returncode == 0:
            break
    else:
        pytest.skip("no interpreter with NumPy on this machine")
    target = start_target(path, "numpy")
    for _ in range(TIMES):
        inject(target.pid, target.text, timeout_s=TIMEOUT_S, main_only=True)
    assert target.goes_on()
    assert target.unharmed()


def test_waiting_for_the_gil_is_said_and_comes_to_an_end(python, start_target) -> None:
    """While a call into C holds the GIL the injector says so; the text runs by itself when the call returns."""
    target = start_target(python, "gilsleep")
    assert target.until(lambda: target.get(8) == 1)
    with pytest.raises(StillWaitingError, match="waits for the GIL"):
        inject(target.pid, target.text, timeout_s=0.2)
    assert target.unharmed()
    assert target.until(lambda: target.hits == 1)
    assert target.goes_on()


def test_an_earlier_attach_that_still_waits_is_left_alone(python, start_target) -> None:
    """Rule 4: the mailbox of an attach that waits for the GIL is never used a second time."""
    target = start_target(python, "gilsleep")
    assert target.until(lambda: target.get(8) == 1)
    for who in ("the hook", "an earlier attach"):
        with pytest.raises(StillWaitingError, match=f"{who} waits"):
            inject(target.pid, target.text, timeout_s=0.2)
    assert target.until(lambda: target.hits == 1)
    assert target.unharmed()


def test_a_sleep_is_not_prolonged_by_being_interrupted(python, start_target) -> None:
    """A thread in a relative sleep goes on with the rest of it, however often it is borrowed meanwhile."""
    target = start_target(python, "nap", beats=True)
    target.put(3, 0)
    for _ in range(2000):
        if target.get(3):
            break
        inject(target.pid, target.text, timeout_s=TIMEOUT_S, main_only=True)
    assert target.get(3) == 1
    assert target.unharmed()

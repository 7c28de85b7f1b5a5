"""One request: who is asked and when, how long it is waited for, and that it is always taken back."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from dstop.pytorch.pep768.kernel_threads import OLD_ENOUGH_S, living_threads, switches
from dstop.pytorch.pep768.request import Outcome, make_request
from dstop.pytorch.pep768.threads import Thread
from dstop.pytorch.target import find_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATH = b"/tmp/script.py"


class Runtime:
    """A Python whose threads do as they are told."""

    def __init__(self, natives: list[int], takers: set[int]) -> None:
        """Have threads of these kernel numbers; `takers` take a request as soon as it is there."""
        self.natives = natives
        self.takers = takers
        self.left: set[int] = set()
        """Those for which a request waits from before."""
        self.armed: list[int] = []
        self.disarmed: list[int] = []

    def threads(self, living: frozenset[int]) -> tuple[Thread, ...]:
        """Give them, the first is the main thread."""
        return tuple(
            Thread(number, 0, 0, number, number in self.left, PATH)
            for number in self.natives
            if number in living
        )

    def arm(self, thread: Thread, path: bytes) -> bool:
        """Note the request."""
        assert path == PATH
        self.armed.append(thread.native_id)
        return True

    def disarm(self, thread: Thread, path: bytes) -> bool:
        """Note that it was taken back."""
        assert path == PATH
        self.disarmed.append(thread.native_id)
        return thread.native_id not in self.takers


@pytest.fixture
def helper() -> Iterator[int]:
    """Give the kernel's number of a thread of this process that is old enough and sleeps."""
    numbers: list[int] = []
    done = threading.Event()

    def sleep() -> None:
        numbers.append(threading.get_native_id())
        done.wait()

    thread = threading.Thread(target=sleep, daemon=True)
    thread.start()
    time.sleep(OLD_ENOUGH_S + 0.1)
    yield numbers[0]
    done.set()
    thread.join()


def _request(
    runtime: Runtime,
    arrived: Callable[[], bool] = lambda: False,
    interrupted: Callable[[], bool] = lambda: False,
    timeout_s: float = 60.0,
) -> Outcome:
    return make_request(
        runtime,  # type: ignore[arg-type]
        find_target(os.getpid()),
        PATH,
        arrived=arrived,
        interrupted=interrupted,
        timeout_s=timeout_s,
    )


def test_the_main_thread_is_asked_alone_first(helper: int) -> None:
    """It takes the request at once: nobody else is bothered."""
    runtime = Runtime([os.getpid(), helper], {os.getpid()})
    assert _request(runtime, arrived=lambda: bool(runtime.armed)) == Outcome(1, 1)
    assert (runtime.armed, runtime.disarmed) == ([os.getpid()], [os.getpid()])


def test_what_a_killed_dstop_left_is_taken_back_too(helper: int) -> None:
    """Otherwise that thread would look for a script that is not there any more."""
    runtime = Runtime([os.getpid(), helper], {os.getpid()})
    runtime.left = {helper}
    assert _request(runtime, arrived=lambda: bool(runtime.armed)) == Outcome(2, 1)
    assert sorted(runtime.disarmed) == sorted([os.getpid(), helper])


def test_the_others_are_asked_when_it_does_not_come(helper: int) -> None:
    """It waits for a worker, say; each is asked once."""
    runtime = Runtime([os.getpid(), helper], {helper})
    assert _request(runtime, arrived=lambda: helper in runtime.armed) == Outcome(2, 1)
    assert runtime.armed == [os.getpid(), helper]


def test_threads_that_all_sleep_are_not_waited_for(helper: int) -> None:
    """None has run since it was asked: this ends long before its time."""
    runtime = Runtime([helper], set())
    end_s = time.monotonic() + 60.0
    outcome = _request(
        runtime, interrupted=lambda: time.monotonic() > end_s or not runtime.armed, timeout_s=float("inf")
    )
    assert time.monotonic() < end_s, "it was waited for"
    assert (outcome, runtime.disarmed) == (Outcome(1, 0), [helper])


def test_threads_that_run_are_waited_for_until_the_time_is_over() -> None:
    """This one runs, and never takes the request."""
    runtime = Runtime([os.getpid()], set())
    began_s = time.monotonic()
    assert _request(runtime, timeout_s=0.5) == Outcome(1, 0)
    assert time.monotonic() - began_s >= 0.5


def test_an_interrupt_ends_it_with_everything_taken_back() -> None:
    """Ctrl-C is held back until then."""
    runtime = Runtime([os.getpid()], set())
    assert _request(runtime, interrupted=lambda: bool(runtime.armed)) == Outcome(1, 0)
    assert runtime.disarmed == runtime.armed == [os.getpid()]


def test_whatever_goes_wrong_everything_is_taken_back() -> None:
    """An error on the way is no reason to leave a request behind."""

    def fail() -> bool:
        raise ZeroDivisionError

    runtime = Runtime([os.getpid()], set())
    with pytest.raises(ZeroDivisionError):
        _request(runtime, arrived=fail)
    assert runtime.disarmed == [os.getpid()]


def test_young_threads_are_left_alone() -> None:
    """They come and go: by the time of the write they may be gone. The main thread always stays."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    living = living_threads(os.getpid(), os.getpid())
    done.set()
    thread.join()
    assert os.getpid() in living
    assert thread.native_id not in living


def test_a_thread_that_sleeps_does_not_switch(helper: int) -> None:
    """One that runs does, sooner or later."""
    before = switches(os.getpid(), [helper, os.getpid()])
    for _ in range(5):
        time.sleep(0.005)
    after = switches(os.getpid(), [helper, os.getpid()])
    assert before[helper] == after[helper]
    assert before[os.getpid()] < after[os.getpid()]


def test_no_process_has_no_threads() -> None:
    """It ended meanwhile."""
    assert living_threads(2**22 + 1, 1) == {}
    assert switches(2**22 + 1, [5]) == {5: 0}

"""What must never happen to a target: that it stays stopped, grows, or dies because dstop was interrupted or killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from dstop.errors import AttachError
from dstop.pytorch.inject.checks import target_status
from dstop.pytorch.inject.delivery import Delivery, StillWaitingError
from dstop.pytorch.inject.injector import inject
from dstop.pytorch.inject.launch import Launcher, NoSafePointError
from dstop.pytorch.inject.lock import become_only_injector
from dstop.pytorch.inject.plan import make_plan
from dstop.pytorch.inject.undisturbed import in_own_thread, undisturbed
from dstop.pytorch.memory import MemoryRefusedError, TargetMemory

INJECT_FOR_EVER = """
import sys
from dstop.errors import AttachError
from dstop.pytorch.inject.injector import inject
pid, text, main_only = int(sys.argv[1]), sys.argv[2], sys.argv[3] == "main"
print("begin", flush=True)
while True:
    try:
        inject(pid, text, timeout_s=30, main_only=main_only)
    except AttachError as error:
        print(error, flush=True)
"""
KILLS = 20
TIMES = 50


def _injector(target, which: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", INJECT_FOR_EVER, str(target.pid), target.text, which],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _kill_at_random(target, which: str, chance: random.Random) -> None:
    with _injector(target, which) as injector:
        assert injector.stdout.readline() == "begin\n"
        time.sleep(chance.uniform(0, 0.02))
        injector.kill()


def _injects(target) -> bool:
    """Inject, unless the attach that was killed may still come to its end: then the error asks for another try."""
    try:
        return inject(target.pid, target.text, timeout_s=30).status == "done"
    except StillWaitingError:
        return False
    except AttachError as error:
        if "try again" not in str(error):
            raise
        return False


@pytest.mark.parametrize("mode", ["busy", "sleep", "malloc", "threads8"])
def test_killing_dstop_at_any_moment_harms_nothing(python, start_target, mode) -> None:
    """SIGKILL leaves no thread stopped, no breakpoint, nothing half done that matters; and the next attach works."""
    chance = random.Random(mode)  # noqa: S311 - not a secret
    target = start_target(python, mode)
    for _ in range(KILLS // 4):
        _kill_at_random(target, "main" if mode == "busy" else "any", chance)
        assert target.until(target.unharmed)
    assert target.until(lambda: _injects(target))
    assert target.unharmed()
    if mode != "sleep":
        assert target.goes_on()


@pytest.mark.parametrize("mode", ["busy", "sleep", "threads8"])
def test_many_attaches_leave_no_trace(python, start_target, mode) -> None:
    """After fifty the threads, descriptors and mappings are what they were after the first."""
    target = start_target(python, mode)
    assert inject(target.pid, target.text, timeout_s=30).status == "done"
    assert target.until(lambda: "rwxp" not in _maps(target))
    threads, descriptors = len(target.threads()), target.descriptors()
    for _ in range(TIMES):
        inject(target.pid, target.text, timeout_s=30)
    assert target.hits == TIMES + 1
    assert target.until(lambda: len(target.threads()) <= threads)
    assert target.descriptors() <= descriptors
    assert target.unharmed()


def _maps(target) -> str:
    with open(f"/proc/{target.pid}/maps") as file:  # noqa: PTH123 - shorter
        return file.read()


def test_ctrl_c_is_raised_only_when_all_is_let_go(python, start_target) -> None:
    """An injector that finds no safe point is interrupted in the middle of its looks."""
    target = start_target(python, "cmalloc")
    with _injector(target, "main") as injector:
        assert injector.stdout.readline() == "begin\n"
        time.sleep(0.05)  # some of its looks; whether it is one more or less does not matter
        injector.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in injector.stderr.read()
    assert injector.returncode != 0
    assert target.unharmed()
    assert target.goes_on()


def test_no_safe_point_is_an_answer(python, start_target) -> None:
    """A process of one thread that does nothing but malloc is given up on, and not hurt."""
    target = start_target(python, "cmalloc", beats=True)
    refusal = None
    try:
        inject(target.pid, target.text, timeout_s=0.3, main_only=True)
    except AttachError as error:
        refusal = error
    # It does come out of malloc, now and then; on a busy machine it may also get no CPU to stop on.
    assert target.hits == (1 if refusal is None else 0)
    assert refusal is None or isinstance(refusal, NoSafePointError) or "does not stop" in refusal.message
    assert target.unharmed()
    assert target.goes_on()


def test_a_thread_that_does_not_stop_in_time_is_not_left_to_stop_later(python, start_target) -> None:
    """It sleeps uninterruptibly, cannot be stopped before it wakes, and must then go on as if it had not been asked."""
    target = start_target(python, "vfork")
    assert target.until(lambda: target.get(8) == 1)
    with pytest.raises(AttachError, match="does not stop"):
        inject(target.pid, target.text, timeout_s=0.1, main_only=True)
    assert target.goes_on()
    assert target.unharmed()
    assert inject(target.pid, target.text, timeout_s=30, main_only=True).status == "done"
    assert target.hits == 1


class Forbidding(TargetMemory):
    """A kernel that lets /proc/PID/mem override no page protection (proc_mem.force_override=never)."""

    __slots__ = ()

    def write(self, address: int, data: bytes) -> None:
        """Refuse what is longer than a mailbox and no source: the routine."""
        if data.startswith(b"dstopcv"):
            raise MemoryRefusedError("forbidden", fix="none")
        super().write(address, data)


def test_a_kernel_that_forbids_writing_text_is_served_by_the_tracer(python, start_target) -> None:
    """The routine is then written by ptrace, while the thread stands at its safe point; once."""
    target = start_target(python, "sleep")

    def work(cancelled: threading.Event) -> bool:
        with Forbidding.open(target.pid) as memory:
            plan = make_plan(target.pid, memory)
            delivery = Delivery(memory, plan.mailbox, target_status(target.pid).inner_pid)
            deadline = time.monotonic() + 30
            delivery.claim(deadline, cancelled)
            Launcher(plan, deadline, cancelled, main_only=False).launch()
            delivery.deliver(target.text.encode() + b"\0", deadline, cancelled)
            return plan.written

    assert [in_own_thread(work), in_own_thread(work)] == [False, True]
    assert target.hits == 2
    assert target.unharmed()


def test_two_dstops_attach_one_after_the_other(python, start_target) -> None:
    """Ten at once on one target: the lock lets each have its turn."""
    target = start_target(python, "sleep")
    failures: list[BaseException] = []

    def attach() -> None:
        try:
            inject(target.pid, target.text, timeout_s=60)
        except AttachError as error:
            failures.append(error)

    threads = [threading.Thread(target=attach) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert target.hits == 10
    assert target.unharmed()


def test_a_target_that_another_dstop_is_attaching_to_is_told(python, start_target) -> None:
    """When it does not let go in time."""
    target = start_target(python, "sleep")
    with TargetMemory.open(target.pid) as memory:
        assert memory.lock()
        with pytest.raises(AttachError, match="another dstop"):
            inject(target.pid, target.text, timeout_s=0.1)
    with TargetMemory.open(target.pid) as memory:
        become_only_injector(memory, time.monotonic())
    assert target.hits == 0


def _inject_until_it_fails(target) -> None:
    while True:
        inject(target.pid, target.text, timeout_s=5)


def test_a_target_that_ends_meanwhile_is_an_error_of_the_users_kind(python, start_target) -> None:
    """Whatever moment it ends at, the answer is one line."""
    for pause_s in (0.0, 0.002, 0.004, 0.006):
        target = start_target(python, "busy")
        # Not Popen.kill: it waits for its child first, and would take the news of a stop from the injector beside it.
        ender = threading.Timer(pause_s, os.kill, (target.pid, signal.SIGKILL))
        ender.start()
        with pytest.raises(AttachError) as error:
            _inject_until_it_fails(target)
        assert "\n" not in str(error.value)
        ender.join()
        target.process.wait()
        with pytest.raises(AttachError, match="no such process"):
            inject(target.pid, target.text, timeout_s=5)


def test_the_stop_is_undisturbed_and_everything_is_put_back() -> None:
    """The collector is off and other threads wait for the body, and not a moment longer."""
    import gc

    before, policy = sys.getswitchinterval(), os.sched_getscheduler(0)
    with undisturbed():
        assert not gc.isenabled()
        assert sys.getswitchinterval() > before
    assert gc.isenabled()
    assert sys.getswitchinterval() == before
    assert os.sched_getscheduler(0) == policy


def test_work_in_its_own_thread_gives_its_result_and_its_failure() -> None:
    """As if it had been called."""
    assert in_own_thread(lambda cancelled: cancelled.is_set()) is False

    def fail(_cancelled: threading.Event) -> None:
        raise AttachError("no", fix="yes")

    with pytest.raises(AttachError, match="no: yes"):
        in_own_thread(fail)

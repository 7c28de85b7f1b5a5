"""Rule 7: what the injector refuses, in one line that says what to do, with nothing of the target touched."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from dstop.errors import AttachError
from dstop.pytorch.inject.checks import check_owner, parse_status, signal_frame_bytes
from dstop.pytorch.inject.injector import inject
from dstop.pytorch.inject.plan import check_build, libc_functions
from dstop.pytorch.memory import TargetMemory

NOBODY = 65534
STATUS = "Name:\tpython\nState:\tS (sleeping)\nTracerPid:\t0\nUid:\t1000\t{uid}\t1000\t1000\nNSpid:\t900\t7\n"

TRACER = """
import sys, time
from dstop.pytorch.inject import ptrace
ptrace.seize(int(sys.argv[1]))
print("seized", flush=True)
time.sleep(1000)
"""
INJECTOR = """
import os, sys
from dstop.errors import AttachError
from dstop.pytorch.inject.injector import inject
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    inject(int(sys.argv[1]), "0", timeout_s=5)
except AttachError as error:
    print(error)
"""
NOT_DUMPABLE = """
import ctypes, os, time
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
print("ready", flush=True)
time.sleep(1000)
"""


def _maps(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


def _refused(target, match: str) -> None:
    before, threads = _maps(target.pid), target.threads()
    with pytest.raises(AttachError, match=match) as error:
        inject(target.pid, target.text, timeout_s=5)
    assert error.value.fix
    assert "\n" not in str(error.value)
    assert _maps(target.pid) == before
    assert target.threads() == threads
    assert target.hits == 0


def test_a_process_that_is_not_there() -> None:
    """The largest pid that Linux can give is not given."""
    with pytest.raises(AttachError, match="no such process"):
        inject(1 << 22, "0")


def test_a_stopped_process_stays_stopped(python, start_target) -> None:
    """It would never run the routine; nor is it for us to continue it."""
    target = start_target(python, "sleep")
    os.kill(target.pid, signal.SIGSTOP)
    assert target.until(lambda: target.status()["State"].startswith("T"))
    _refused(target, "is stopped: continue it")
    assert target.status()["State"].startswith("T")


def test_a_process_that_is_traced_keeps_its_tracer(python, start_target) -> None:
    """One tracer a thread: the other one is named."""
    target = start_target(python, "sleep")
    with subprocess.Popen(
        [sys.executable, "-c", TRACER, str(target.pid)], stdout=subprocess.PIPE, text=True
    ) as tracer:
        assert tracer.stdout.readline() == "seized\n"
        _refused(target, f"traced by process {tracer.pid}")
        assert target.status()["TracerPid"] == str(tracer.pid)
        tracer.kill()


def test_a_zombie_has_ended() -> None:
    """There is a pid, but no memory."""
    with subprocess.Popen([shutil.which("true") or "true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(AttachError, match="has ended"):
            inject(process.pid, "0")


def test_a_process_that_is_not_python() -> None:
    """Its name is told: perhaps it was the wrong pid."""
    with subprocess.Popen([shutil.which("sleep") or "sleep", "1000"]) as process:
        try:
            # Until the exec it is a Python.
            while "sleep" not in Path(f"/proc/{process.pid}/comm").read_text():
                pass
            with pytest.raises(AttachError, match=r"\(\S+\) is not a Python process"):
                inject(process.pid, "0")
        finally:
            process.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_users_process(python, start_target) -> None:
    """The owner is named, and sudo."""
    target = start_target(python, "sleep")
    done = subprocess.run(
        [sys.executable, "-c", INJECTOR, str(target.pid)], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"process {target.pid} is owned by uid 0: use sudo or become that user\n"
    assert target.unharmed()


def test_a_process_that_is_not_dumpable() -> None:
    """The kernel lets nobody but root into it."""
    with subprocess.Popen([sys.executable, "-c", NOT_DUMPABLE], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            done = subprocess.run(
                [sys.executable, "-c", INJECTOR, str(process.pid)], capture_output=True, text=True, check=True
            )
            assert done.stdout.startswith(f"no permission to attach to process {process.pid}"), done
            assert done.stdout.count("\n") == 1
        finally:
            process.kill()


def test_a_process_in_a_container_is_reached(python, start_target) -> None:
    """Another mount, PID and network namespace: nothing of the target's files is needed."""
    command = (
        "unshare",
        "--fork",
        "--kill-child",
        "--pid",
        "--mount",
        "--mount-proc",
        "--net",
        "--ipc",
        "--uts",
    )
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no permission to make namespaces")
    target = start_target(python, "sleep", before=command)
    inner = int(Path(f"/proc/{target.pid}/task/{target.pid}/children").read_text())
    assert inject(inner, target.text, timeout_s=30).status == "done"
    assert target.hits == 1


def test_text_that_cannot_be_carried() -> None:
    """A NUL would end it early, and the region has a size."""
    for text in ("a\0b", "a" * (1 << 20)):
        with pytest.raises(ValueError, match="NUL or is a megabyte"):
            inject(os.getpid(), text)


def _status(uid: int = 1000, **changed: str) -> str:
    text = STATUS.format(uid=uid)
    for name, value in changed.items():
        text = "\n".join(f"{name}:\t{value}" if line.startswith(name) else line for line in text.split("\n"))
    return text


def test_the_status_of_a_process_is_parsed() -> None:
    """The effective uid is the second; the number of the innermost namespace the last."""
    status = parse_status(900, _status(uid=1001))
    assert (status.state, status.tracer, status.effective_uid, status.inner_pid) == ("S", 0, 1001, 7)
    assert parse_status(900, "State: R\nTracerPid: 0\nUid: 0 0 0 0").inner_pid == 900


@pytest.mark.parametrize(
    "text", ["", "State:\n", "State: S\nTracerPid: x\nUid: 0 0\n", "State: S\nTracerPid: 0\nUid: 0\n"]
)
def test_a_status_that_is_not_one_is_refused(text: str) -> None:
    """As an error for the user, not as a bug."""
    with pytest.raises(AttachError, match="cannot be read"):
        parse_status(900, text)


def test_a_shadow_stack_is_refused() -> None:
    """The routine comes back by a return that no call belongs to."""
    text = _status(uid=os.geteuid()) + "x86_Thread_features:\tshstk wrss\n"
    with pytest.raises(AttachError, match="shadow stack"):
        check_owner(900, parse_status(900, text))


def test_the_register_state_of_this_cpu_is_known() -> None:
    """Linux since 5.14 tells how much room a signal frame needs; before, no state is larger than our room."""
    assert signal_frame_bytes() == 0 or 2048 <= signal_frame_bytes() <= 1 << 16


def _python(**changed: object) -> SimpleNamespace:
    values = {"image": SimpleNamespace(machine=62), "free_threaded": False} | changed
    return SimpleNamespace(**values)


def test_builds_that_were_never_measured_are_refused() -> None:
    """Other machines, free-threaded Pythons, other C libraries."""
    glibc = {"/usr/lib/libc.so.6": 0}
    check_build(900, _python(), glibc)
    with pytest.raises(AttachError, match="x86-64"):
        check_build(900, _python(image=SimpleNamespace(machine=183)), glibc)
    with pytest.raises(AttachError, match="free-threaded"):
        check_build(900, _python(free_threaded=True), glibc)
    with pytest.raises(AttachError, match="musl"):
        check_build(900, _python(), {"/lib/ld-musl-x86_64.so.1": 0})


def test_a_process_without_glibc_is_refused() -> None:
    """Nothing is called that was not found."""
    with (
        TargetMemory.open(os.getpid()) as memory,
        pytest.raises(AttachError, match="no glibc with pthread_create"),
    ):
        libc_functions(memory, {"/usr/lib/libfoo.so": 0})

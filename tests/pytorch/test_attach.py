"""The whole ladder into real processes: every way in, every refusal, and dstop killed on the way."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dstop.errors import AttachError
from dstop.pytorch.attach import Attached, WaitingForGilError, attach, hook_source
from dstop.pytorch.client import NoAnswerError, ping
from dstop.pytorch.memory import TargetMemory
from dstop.pytorch.pep768.threads import find_runtime
from dstop.pytorch.python_image import find_python
from dstop.pytorch.refusals import ForbiddenByUserError
from dstop.pytorch.target import find_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_S = 60.0
NOBODY = 65534

READY = "import sys, time; print('ready', flush=True)\n"
ASLEEP = READY + "time.sleep(1000)"
BUSY = READY + "n = 0\nwhile True: n = (n * 31 + 7) % 1000003"
JOINING = READY + (
    "import threading\n"
    "def work():\n    n = 0\n    while True: n = (n * 31 + 7) % 1000003\n"
    "worker = threading.Thread(target=work, daemon=True); worker.start(); worker.join()"
)
HOLDING_THE_GIL = READY + "import ctypes; ctypes.PyDLL(None).sleep({seconds}); time.sleep(1000)"

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="the injector is written for x86-64")


class Program:
    """A process to attach to, and the directory of its socket."""

    def __init__(self, command: list[str], directory: str, *, top: str = "/", **options: object) -> None:
        """Start it, and wait until it says that it is ready."""
        self.directory = Path(top) / directory.lstrip("/")
        given: dict[str, str] = options.pop("env", {})  # type: ignore[assignment]
        env = {name: value for name, value in os.environ.items() if not name.startswith("DSTOP_")}
        self.process = subprocess.Popen(
            command,
            env=env | {"DSTOP_DIR": directory} | given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        assert self.process.stdout is not None
        self.ready = self.process.stdout.readline() == "ready\n"

    @property
    def pid(self) -> int:
        """Its number."""
        return self.process.pid

    def files(self) -> list[str]:
        """Give what lies in its directory."""
        return sorted(path.name for path in self.directory.iterdir()) if self.directory.exists() else []

    def end(self) -> str:
        """Kill it, and give what it wrote on its standard error."""
        self.process.kill()
        return self.process.communicate()[1]


@pytest.fixture
def start() -> Iterator[Callable[..., Program]]:
    """Give what starts programs; all are ended, and none may have complained."""
    folder = Path(tempfile.mkdtemp(prefix="ds-"))
    folder.chmod(0o777)
    programs: list[Program] = []

    def run(source: str, python: str = sys.executable, **options: object) -> Program:
        programs.append(Program([python, "-I", "-c", source], str(folder / f"d{len(programs)}"), **options))
        assert programs[-1].ready
        return programs[-1]

    yield run
    complaints = [program.end() for program in programs]
    shutil.rmtree(folder)
    assert complaints == [""] * len(programs)


@pytest.fixture
def start_314() -> Iterator[Callable[..., Program]]:
    """Give what starts Python 3.14: one that is on the PATH, or in the root file system that DSTOP_SID_ROOT names."""
    root = os.environ.get("DSTOP_SID_ROOT")
    on_path = shutil.which("python3.14")
    if root is None and on_path is None:
        pytest.skip("no python3.14 on the PATH, and DSTOP_SID_ROOT names no root file system that has one")
    top = root if on_path is None and root is not None else "/"
    if top != "/" and os.geteuid() != 0:
        pytest.skip("only root can change into DSTOP_SID_ROOT")
    folder = Path(tempfile.mkdtemp(prefix="ds-", dir=f"{top}/tmp"))
    inside = f"/tmp/{folder.name}"  # noqa: S108 - made by mkdtemp
    programs: list[Program] = []

    def run(source: str, *options: str) -> Program:
        command = [on_path or "/usr/bin/python3.14", "-I", *options, "-c", source]
        if top != "/":
            mount = f'mount -t proc proc "{top}/proc" && exec chroot "{top}" "$@"'
            command = ["unshare", "-m", "sh", "-c", mount, "sh", *command]
        programs.append(Program(command, f"{inside}/d{len(programs)}", top=top))
        if not programs[-1].ready:
            pytest.skip(f"python3.14 does not start there: {programs[-1].end()}")
        return programs[-1]

    yield run
    complaints = [program.end() for program in programs]
    shutil.rmtree(folder)
    assert complaints == [""] * len(programs)


def _attach(program: Program, timeout_s: float = PATIENCE_S) -> Attached:
    return attach(program.pid, timeout_s=timeout_s, without_torch=True)


def _wait_for(condition: Callable[[], object]) -> bool:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.02)
    return True


def _threads_that_wait(program: Program) -> list[int]:
    """Give the threads of a Python 3.14 for which a request is pending."""
    with TargetMemory.open(program.pid) as memory:
        runtime = find_runtime(
            memory, find_python(program.pid, memory).symbol("_PyRuntime").address, program.pid
        )
        assert runtime is not None
        tasks = frozenset(int(path.name) for path in Path(f"/proc/{program.pid}/task").iterdir())
        return [thread.native_id for thread in runtime.threads(tasks) if thread.pending]


@pytest.mark.parametrize("source", [ASLEEP, BUSY], ids=["asleep", "busy"])
@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13"])
def test_a_running_python_gets_the_hook(
    version: str, source: str, pythons: dict[str, str], start: Callable[..., Program]
) -> None:
    """By a thread that is brought in; it answers, it is ours, and the second attach finds it there."""
    if version not in pythons:
        pytest.skip(f"there is no Python {version} on this machine")
    program = start(source, pythons[version])
    with _attach(program).client as client:
        hello = client.ask("hello")
    assert (hello["pid"], hello["how"], hello["version"]) == (program.pid, "ptrace", hook_source()[1])
    again = _attach(program)
    again.client.close()
    assert again.how == "present"


@pytest.mark.parametrize("source", [BUSY, JOINING], ids=["busy", "joining"])
def test_python_314_is_asked(source: str, start_314: Callable[..., Program]) -> None:
    """By PEP 768, on whichever thread comes to a safe point, also when the main thread only waits for others."""
    program = start_314(source)
    attached = _attach(program)
    with attached.client as client:
        assert client.ask("hello")["how"] == "pep768"
    assert attached.how == "pep768"
    assert _threads_that_wait(program) == []


def test_a_python_314_that_sleeps_gets_a_thread(start_314: Callable[..., Program]) -> None:
    """No thread comes to a safe point: the requests are taken back, the script goes, and a thread is brought in."""
    program = start_314(ASLEEP)
    said: list[str] = []
    attached = attach(program.pid, timeout_s=PATIENCE_S, without_torch=True, log=said.append)
    attached.client.close()
    assert attached.how == "ptrace"
    assert [re.sub(r".*\((.*)\)", r"\1", text) for text in said] == ["PEP 768", "ptrace"]
    assert _threads_that_wait(program) == []
    assert not [name for name in program.files() if name.endswith(".py")]


def test_the_switch_of_python_314_is_a_no(start_314: Callable[..., Program]) -> None:
    """Whoever forbids remote debugging is not gone around by ptrace."""
    program = start_314(BUSY, "-X", "disable-remote-debug")
    with pytest.raises(ForbiddenByUserError, match="forbids it"):
        _attach(program)
    assert not [name for name in program.files() if name.endswith((".sock", ".py"))]


def test_ctrl_c_takes_the_request_back(start_314: Callable[..., Program]) -> None:
    """It is interrupted while no thread has come: no thread will later, and nothing is left behind."""
    program = start_314(HOLDING_THE_GIL.format(seconds=1000))
    dstop = _dstop(program)
    assert _wait_for(lambda: _threads_that_wait(program))
    dstop.send_signal(signal.SIGINT)
    _, said = dstop.communicate(timeout=PATIENCE_S)
    assert "KeyboardInterrupt" in said
    assert _threads_that_wait(program) == []
    assert not [name for name in program.files() if name.endswith(".py")]


def test_what_a_killed_dstop_left_is_taken_back_by_the_next(start_314: Callable[..., Program]) -> None:
    """No thread finds out hours later that the script is gone."""
    program = start_314(ASLEEP)
    dstop = _dstop(program)
    assert _wait_for(lambda: _threads_that_wait(program))
    dstop.kill()
    dstop.communicate()
    _attach(program).client.close()
    assert _threads_that_wait(program) == []
    assert not [name for name in program.files() if name.endswith(".py")]


def _dstop(program: Program, timeout_s: float = 30) -> subprocess.Popen[str]:
    """Start another dstop that attaches."""
    source = (
        "import sys; from dstop.pytorch.attach import attach\n"
        f"print(attach({program.pid}, timeout_s={timeout_s}, without_torch=True).how)"
    )
    return subprocess.Popen(
        [sys.executable, "-c", source], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("source", [ASLEEP, BUSY], ids=["asleep", "busy"])
def test_a_killed_dstop_harms_nobody(source: str, start: Callable[..., Program]) -> None:
    """Wherever SIGKILL meets it, the process lives on, and the next dstop gets in."""
    program = start(source)
    for pause_s in (0.1, 0.15, 0.2, 0.25, 0.3, 0.4):
        dstop = _dstop(program)
        time.sleep(pause_s)
        dstop.kill()
        dstop.communicate()
        assert program.process.poll() is None
    _attach(program).client.close()
    assert find_target(program.pid).state in "RS"


def test_two_at_once_get_the_same_hook(start: Callable[..., Program]) -> None:
    """One goes in, the other waits for what the first brings."""
    program = start(BUSY)
    results: list[Attached] = []
    others = [threading.Thread(target=lambda: results.append(_attach(program))) for _ in range(3)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    hellos = [attached.client.ask("hello") for attached in results]
    for attached in results:
        attached.client.close()
    assert sorted(attached.how for attached in results) == ["present", "present", "ptrace"]
    assert {hello["pid"] for hello in hellos} == {program.pid}
    assert len([name for name in program.files() if name.endswith(".sock")]) == 1


def _hook_of_version(version: int) -> str:
    """Give a program that starts the hook as if it were of another version."""
    text = re.sub(r"^VERSION = \d+$", f"VERSION = {version}", hook_source()[0], flags=re.MULTILINE)
    return (
        f"hook = {{'__name__': 'another'}}\nexec({text!r}, hook)\nhook['start'](None, None, 'run')\n{ASLEEP}"
    )


def test_an_older_hook_is_replaced(start: Callable[..., Program]) -> None:
    """It may not know what we ask."""
    program = start(_hook_of_version(hook_source()[1] - 1))
    with _attach(program).client as client:
        hello = client.ask("hello")
    assert (hello["version"], hello["how"]) == (hook_source()[1], "ptrace")
    assert len([name for name in program.files() if name.endswith(".sock")]) == 1


def test_a_newer_hook_is_used_as_it_is(start: Callable[..., Program]) -> None:
    """It knows what we ask, and more."""
    program = start(_hook_of_version(hook_source()[1] + 1))
    attached = _attach(program)
    with attached.client as client:
        assert client.ask("ping")["version"] == hook_source()[1] + 1
    assert attached.how == "present"


def test_the_environment_can_say_no(start: Callable[..., Program]) -> None:
    """DSTOP_HOOK=0 keeps everybody out, and nothing is made."""
    program = start(ASLEEP, env={"DSTOP_HOOK": "0"})
    with pytest.raises(ForbiddenByUserError):
        _attach(program)
    assert program.files() == []


def test_python_without_torch_is_told_so(start: Callable[..., Program]) -> None:
    """Nothing is brought into a process that has no allocator to show."""
    program = start(ASLEEP)
    with pytest.raises(AttachError, match="not imported PyTorch"):
        attach(program.pid, timeout_s=PATIENCE_S)
    assert ping(find_target(program.pid)) is None


def test_what_is_not_python_is_told_so() -> None:
    """A PID from another column costs one line."""
    process = subprocess.Popen(["/bin/sleep", "1000"])
    try:
        with pytest.raises(AttachError, match="not a Python process"):
            attach(process.pid, timeout_s=PATIENCE_S)
    finally:
        process.kill()
        process.wait()


def test_a_stopped_process_stays_stopped(start: Callable[..., Program]) -> None:
    """It is not woken, it is told of; and once it goes on it can be attached to."""
    program = start(ASLEEP)
    program.process.send_signal(signal.SIGSTOP)
    assert _wait_for(lambda: find_target(program.pid).state == "T")
    with pytest.raises(AttachError, match="is stopped") as caught:
        _attach(program)
    assert caught.value.fix == f"let it go on: kill -CONT {program.pid}"
    assert find_target(program.pid).state == "T"
    program.process.send_signal(signal.SIGCONT)
    with _attach(program).client as client:
        program.process.send_signal(signal.SIGSTOP)
        assert _wait_for(lambda: find_target(program.pid).state == "T")
        with pytest.raises(NoAnswerError, match="is stopped"):
            client.ask("ping", timeout_s=0.1)
        with pytest.raises(AttachError, match="is stopped"):
            _attach(program)


def test_waiting_for_the_gil_is_a_diagnosis(start: Callable[..., Program]) -> None:
    """A C call holds it: dstop says so, and where; the hook comes up by itself when the call ends."""
    program = start(HOLDING_THE_GIL.format(seconds=8))
    with pytest.raises(WaitingForGilError, match="waits for the GIL") as caught:
        _attach(program, timeout_s=1.5)
    assert "its main thread waits in" in caught.value.message
    assert _wait_for(lambda: ping(find_target(program.pid)))


def test_a_process_that_ends_meanwhile_is_said_to_have_ended(start: Callable[..., Program]) -> None:
    """Not that it is no Python, nor that its memory cannot be read."""
    program = start(HOLDING_THE_GIL.format(seconds=1000))
    timer = threading.Timer(1.0, program.process.kill)
    timer.start()
    with pytest.raises(AttachError, match="has ended"):
        _attach(program)
    timer.join()


def test_nobody_is_nobody() -> None:
    """A number that no process has."""
    with pytest.raises(AttachError, match="there is no process"):
        attach(2**22 + 1)


def test_a_container_is_attached_to_from_the_host() -> None:
    """Its own PIDs, mounts and network, and a /tmp that the host does not see."""
    unshare = ["unshare", *([] if os.geteuid() == 0 else ["-Ur"]), "-mpnfiu", "--mount-proc"]
    try:
        permitted = subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode == 0
    except OSError:
        permitted = False
    if not permitted:
        pytest.skip("unshare is not there, or not permitted")
    folder = tempfile.mkdtemp(prefix="ds-")
    hide = f'mount -t tmpfs -o mode=755 none "{folder}" && exec "$@"'
    command = [*unshare, "sh", "-c", hide, "sh", sys.executable, "-I", "-c", ASLEEP]
    program = Program(command, f"{folder}/d")
    children = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
    try:
        attached = attach(int(children[0]), timeout_s=PATIENCE_S, without_torch=True)
        with attached.client as client:
            assert client.ask("hello")["pid"] == attached.target.inner_pid == 1
        assert program.files() == []
    finally:
        os.kill(int(children[0]), signal.SIGKILL)
        said = program.process.communicate()[1]
        Path(folder).rmdir()
    assert "Traceback" not in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
def test_root_attaches_as_the_processes_user(pythons: dict[str, str], start: Callable[..., Program]) -> None:
    """Directory and socket belong to that user, who also may ask."""
    candidates = [*pythons.values(), "/usr/bin/python3"]
    python = next((path for path in candidates if _runs_as_nobody(path)), None)
    if python is None:
        pytest.skip("no interpreter here can be run by user nobody")
    program = start(ASLEEP, python, user=NOBODY, group=NOBODY)
    with _attach(program).client as client:
        assert client.ask("ping")["pid"] == program.pid
    assert {path.stat().st_uid for path in [program.directory, *program.directory.iterdir()]} == {NOBODY}
    assert os.geteuid() == 0


def _runs_as_nobody(python: str) -> bool:
    try:
        return subprocess.run([python, "-c", ""], user=NOBODY, check=False).returncode == 0
    except OSError:
        return False

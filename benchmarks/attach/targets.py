"""The processes that are attached to: interpreters that are here, targets that tell how they fare, and what hurt them.

Each target (`loads.py`) keeps a page of counters; a native thread beats in it beside the Python threads, and each step
compares its results with what they must be.
"""

from __future__ import annotations

import json
import mmap
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
HEARTBEAT = ROOT / "tests" / "pytorch" / "targets" / "heartbeat.c"
LOADS = Path(__file__).with_name("loads.py")
PAGE_BYTES = 4096
SLOT = struct.Struct("<Q")
NATIVE_TICKS, NATIVE_GAP_NS, STEPS, GAP_NS, WRONG, READY = 0, 1, 3, 4, 9, 10
"""Slots of the page, as loads.py has them."""

BLOCKED = frozenset({"sleep", "recv"})
"""The main thread sleeps in one system call for ever: it has no ticks, but it must stay in that call."""
HOLDS_GIL = frozenset({"gilsleep"})
"""One call holds the GIL for a second: nobody's Python code can run before it returns."""
KINDS = ("busy", "sleep", "recv", "gilsleep", "malloc", "cmalloc", "threads8", "numpy", "torch")
NEEDS = {"numpy": "numpy", "torch": "torch"}
START_PATIENCE_S = 90.0
HANG_S = 15.0
"""A target that has not moved for so long hangs; a call that holds the GIL is over long before."""
QUERY = """import importlib.util as u, json, sys
print(json.dumps({"version": "%d.%d.%d" % sys.version_info[:3],
                  "modules": [name for name in ("numpy", "torch") if u.find_spec(name)]}))"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python that targets run on: how to start it, what it is, where its file system begins."""

    command: tuple[str, ...]
    version: str
    modules: frozenset[str]
    root: Path = Path("/")
    simulated: bool = False

    @property
    def minor(self) -> str:
        """Give the feature version, such as 3.12."""
        return ".".join(self.version.split(".")[:2])

    def can(self, kind: str) -> bool:
        """Tell whether it has what this kind of target imports."""
        return NEEDS.get(kind) is None or NEEDS[kind] in self.modules


def _ask(command: Sequence[str], root: Path, simulated: bool) -> Interpreter | None:
    """Start an interpreter once to learn what it is; None when it does not start."""
    try:
        told = subprocess.run([*command, "-c", QUERY], capture_output=True, check=True, timeout=60)
        facts = json.loads(told.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    modules = frozenset(facts["modules"])
    return Interpreter(
        command=tuple(command), version=facts["version"], modules=modules, root=root, simulated=simulated
    )


def _candidates() -> Iterator[tuple[tuple[str, ...], Path, bool]]:
    """Give every place where an interpreter may be: PATH, pyenv, a Debian root, the simulated CUDA build."""
    homes = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for minor in range(10, 16):
        for found in sorted(homes.glob(f"3.{minor}.*/bin/python3"), reverse=True)[:1]:
            yield (str(found),), Path("/"), False
        if on_path := shutil.which(f"python3.{minor}"):
            yield (on_path,), Path("/"), False
    if (debian := os.environ.get("DSTOP_SID_ROOT")) and os.geteuid() == 0:
        yield ("unshare", "--mount-proc=/proc", "-R", debian, "python3.14"), Path(debian), False
    if simulated := os.environ.get("DSTOP_CUDASIM_PYTHON"):
        yield (simulated,), Path("/"), True


def interpreters(asked: Sequence[str] | None) -> list[Interpreter]:
    """Give one interpreter of each minor version that is here (or those asked for), and the simulated CUDA build.

    Raises:
        SystemExit: when none is to be had.
    """
    places = [((each,), Path("/"), False) for each in asked] if asked else list(_candidates())
    kept: dict[str, Interpreter] = {}
    for command, root, simulated in places:
        known = _ask(command, root, simulated)
        if known is not None:
            kept.setdefault(f"{known.minor} simulated" if known.simulated else known.minor, known)
    if not kept:
        raise SystemExit("no interpreter from 3.10 on was found: name one with --python")
    return list(kept.values())


@contextmanager
def heartbeat() -> Iterator[Path]:
    """Compile the native thread that beats beside Python; it needs the system's C compiler.

    Raises:
        SystemExit: when there is no compiler.
    """
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise SystemExit("a C compiler is needed for the heartbeat of the targets: install gcc, or set CC")
    with tempfile.TemporaryDirectory(prefix="dstop-bench-") as folder:
        library = Path(folder) / "heartbeat.so"
        flags = ("-O2", "-shared", "-fPIC", "-pthread")
        subprocess.run([compiler, *flags, "-o", library, HEARTBEAT], check=True)
        yield library


class Target:
    """One process to attach to, in a folder of its own; leaving the context ends it and removes every trace."""

    def __init__(self, interpreter: Interpreter, kind: str, library: Path, *, environment: str = "") -> None:
        self.interpreter, self.kind = interpreter, kind
        self._folder = Path(tempfile.mkdtemp(prefix="dstop-bench-", dir=interpreter.root / "tmp"))
        self._box = f"dstop-bench-{self._folder.name}"
        shutil.copy(LOADS, self._folder)
        shutil.copy(library, self._folder)
        self._page_path = self._folder / "page"
        self._page_path.write_bytes(bytes(PAGE_BYTES))
        with self._page_path.open("r+b") as page:
            self._page = mmap.mmap(page.fileno(), PAGE_BYTES)
        self._log = (self._folder / "log").open("w+b")
        inside = self.inside
        self._child = subprocess.Popen(
            [*interpreter.command, inside(LOADS.name), kind, inside("page"), inside(library.name)],
            env=self._environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def inside(self, name: str) -> str:
        """Give a path in the folder as the target sees it."""
        return "/" + str((self._folder / name).relative_to(self.interpreter.root))

    def _environment(self, extra: str) -> dict[str, str]:
        """Give the target a home for its guest that goes away with it, and a simulated device of its own."""
        hidden = ("PYTHON", "DSTOP_", "CUDASIM_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        environment |= {
            "DSTOP_DIR": self.inside("guest"),
            "DSTOP_INCIDENTS": self.inside("incidents"),
            "CUDASIM_NAME": self._box,
        }
        if self.interpreter.simulated:
            home = Path(self.interpreter.command[0]).parents[1]
            libraries = sorted(home.glob("lib/python3*/site-packages/nvidia/cu*/lib"))
            environment |= {"LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)), "OMP_NUM_THREADS": "1"}
        return environment | dict(pair.split("=", 1) for pair in extra.split())

    @property
    def pid(self) -> int:
        """Give the process id."""
        return self._child.pid

    @property
    def folder(self) -> Path:
        """Give the target's folder as we see it."""
        return self._folder

    def get(self, slot: int) -> int:
        """Read one counter."""
        return int(SLOT.unpack_from(self._page, SLOT.size * slot)[0])

    def put(self, slot: int, value: int) -> None:
        """Write one counter: gaps are measured from nought, commands are given."""
        SLOT.pack_into(self._page, SLOT.size * slot, value)

    def _await(self, condition: Callable[[], bool], patience_s: float) -> bool:
        """Wait until a condition holds; False when time is up or the target has ended."""
        deadline = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() > deadline or self._child.poll() is not None:
                return condition()
            time.sleep(0.002)
        return True

    def __enter__(self) -> Self:
        """Wait until the target has begun its work.

        Raises:
            RuntimeError: when it did not start.
        """
        if not self._await(lambda: self.get(READY) == 1, START_PATIENCE_S):
            log = (self._folder / "log").read_text(errors="replace")[-2000:]
            self.__exit__()
            raise RuntimeError(f"a {self.kind} target did not start: {log}")
        return self

    def __exit__(self, *_: object) -> None:
        """End the target and remove what it left."""
        self._child.kill()
        self._child.wait()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        with suppress(FileNotFoundError):
            Path("/dev/shm", f"cudasim-{self._box}").unlink()  # noqa: S108 - the simulator's, not ours

    def call(self) -> str | None:
        """Give the number of the system call that the main thread is in; None when it is in none."""
        try:
            number = Path(f"/proc/{self.pid}/syscall").read_text(encoding="ascii").split()[0]
        except (OSError, IndexError):
            return None
        return number if number.isdigit() else None

    def reset_gaps(self) -> None:
        """Measure the gaps of both heartbeats from here on."""
        self.put(NATIVE_GAP_NS, 0)
        self.put(GAP_NS, 0)

    def gaps_ms(self) -> dict[str, float | None]:
        """Give the longest silence of the native thread and of the main thread, a running one included."""
        self._moves(NATIVE_TICKS, HANG_S)
        silent = self.kind in BLOCKED | HOLDS_GIL
        if not silent:
            self._moves(STEPS, HANG_S)
        return {
            "native_gap_ms": self.get(NATIVE_GAP_NS) / 1e6,
            "main_gap_ms": None if silent else self.get(GAP_NS) / 1e6,
        }

    def _moves(self, slot: int, patience_s: float) -> bool:
        """Tell whether a counter goes on; two steps, because the first may have begun before."""
        before = self.get(slot)
        return self._await(lambda: self.get(slot) >= before + 2, patience_s)

    def harm(self, call_before: str | None) -> list[str]:
        """Say what is wrong with the target now: crash, hang, wrong results, left stopped; nothing when unhurt."""
        found = []
        if self._left_stopped():
            found.append("left stopped")
        if self.kind in BLOCKED:
            if not self._await(lambda: self.call() == call_before, HANG_S):
                found.append("hang")
        elif not self._moves(STEPS, HANG_S):
            found.append("hang")
        if not self._moves(NATIVE_TICKS, HANG_S):
            found.append("native thread hangs")
        if self.get(WRONG):
            found.append("wrong results")
        status = self._child.poll()
        return [f"crash (exit {status})"] if status is not None else found

    def _left_stopped(self) -> bool:
        """Tell whether some thread stays stopped or traced for a second."""

        def running() -> bool:
            for task in Path(f"/proc/{self.pid}/task").iterdir():
                with suppress(OSError):  # a thread that ended meanwhile is not stopped
                    text = (task / "status").read_text(encoding="utf-8", errors="replace")
                    state = text.split("State:\t", 1)[1][0]
                    tracer = text.split("TracerPid:\t", 1)[1].split("\n", 1)[0]
                    if state in "tT" or tracer != "0":
                        return False
            return True

        with suppress(OSError):
            return not self._await(running, 1.0)
        return False

    def resume(self) -> None:
        """Let a stopped target go on, so that it can be ended."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)


def plan(
    kinds: Sequence[str], found: Sequence[Interpreter]
) -> tuple[list[tuple[str, Interpreter]], list[str]]:
    """Pair every kind of target with the interpreters that can run it; say which kinds nobody can run."""
    pairs: list[tuple[str, Interpreter]] = []
    left_out = []
    for kind in kinds:
        able = [each for each in found if each.can(kind) and (not each.simulated or kind == "torch")]
        if not able:
            left_out.append(f"{kind}: no interpreter here has {NEEDS[kind]}")
        pairs += [(kind, each) for each in able]
    return pairs, left_out


def attacher() -> tuple[str, ...]:
    """Give this working tree's dstop as a command."""
    script = Path(sys.executable).with_name("dstop")
    return (str(script),) if script.exists() else (sys.executable, "-m", "dstop")

"""Processes to be injected into: real interpreters that compute, sleep, allocate, and tell in a page how they are."""

from __future__ import annotations

import fcntl
import mmap
import os
import shutil
import struct
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TARGETS = Path(__file__).parent.parent / "targets"
NUMBER = struct.Struct("<Q")
PATIENCE_S = 60.0


class Target:
    """A running target.py and its shared page."""

    def __init__(self, process: subprocess.Popen[bytes], page: mmap.mmap, path: Path) -> None:
        """Wait until it is ready."""
        self.process = process
        self.pid = process.pid
        self.page = page
        self.path = path

    def get(self, slot: int) -> int:
        """Read a number of the shared page."""
        return NUMBER.unpack_from(self.page, 8 * slot)[0]

    def put(self, slot: int, value: int) -> None:
        """Write a number of the shared page."""
        NUMBER.pack_into(self.page, 8 * slot, value)

    @property
    def hits(self) -> int:
        """How often injected text has run."""
        return self.get(11)

    @property
    def text(self) -> str:
        """A statement that counts its own runs in the shared page and leaves nothing behind."""
        body = (
            "import os\n"
            f"file = os.open({str(self.path)!r}, os.O_RDWR)\n"
            "os.pwrite(file, (int.from_bytes(os.pread(file, 8, 88), 'little') + 1).to_bytes(8, 'little'), 88)\n"
            "os.close(file)\n"
        )
        return f"__import__('builtins').exec({body!r}, {{}})"

    def until(self, condition: Callable[[], bool]) -> bool:
        """Wait until something is so; False when it never is."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > deadline or self.process.poll() is not None:
                return condition()
            time.sleep(0.002)
        return True

    def status(self, thread: int | None = None) -> dict[str, str]:
        """Give /proc/PID/status, or that of one thread."""
        name = f"task/{thread}/status" if thread else "status"
        text = Path(f"/proc/{self.pid}/{name}").read_text()
        return {key: value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}

    def threads(self) -> list[int]:
        """Give its thread ids."""
        return [int(path.name) for path in Path(f"/proc/{self.pid}/task").iterdir()]

    def descriptors(self) -> int:
        """Count its open files."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def unharmed(self) -> bool:
        """Tell whether it lives, computes right, and no thread of it is stopped or traced."""
        if self.process.poll() is not None or self.get(9):
            return False
        for thread in self.threads():
            try:
                status = self.status(thread)
            except (FileNotFoundError, ProcessLookupError):
                continue
            if status["State"][0] in "Tt" or status["TracerPid"] != "0":
                return False
        return True

    def goes_on(self) -> bool:
        """Tell whether its main thread does more rounds than it had done."""
        before = self.get(3)
        return self.until(lambda: self.get(3) > before + 1)


@pytest.fixture(scope="session")
def heartbeat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build heartbeat.c once a run."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler: the targets' heartbeat cannot be built")
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    library = shared / "heartbeat.so"
    with (shared / "heartbeat.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not library.exists():
            source = str(TARGETS / "heartbeat.c")
            subprocess.run(
                [compiler, "-shared", "-fPIC", "-O2", "-pthread", "-o", str(library), source], check=True
            )
    return library


@pytest.fixture
def start_target(tmp_path: Path, heartbeat: Path) -> Iterator[Callable[..., Target]]:
    """Give a function that starts a target: `start_target(python, mode, beats=True, before=())`."""
    targets: list[Target] = []

    def start(python: str, mode: str, *, beats: bool = True, before: tuple[str, ...] = ()) -> Target:
        path = tmp_path / f"page{len(targets)}"
        path.write_bytes(bytes(4096))
        path.chmod(0o666)
        with path.open("r+b") as file:
            page = mmap.mmap(file.fileno(), 4096)
        command = [
            *before,
            python,
            str(TARGETS / "target.py"),
            mode,
            str(path),
            *([str(heartbeat)] if beats else []),
        ]
        target = Target(subprocess.Popen(command), page, path)
        targets.append(target)
        assert target.until(lambda: target.get(10) == 1), mode
        return target

    yield start
    for target in targets:
        target.process.kill()
        target.process.wait()
        target.page.close()


@pytest.fixture
def python(pythons: dict[str, str]) -> str:
    """Give the newest interpreter that can be injected into, whose version is below 3.14."""
    usable = [path for version, path in pythons.items() if version in {"3.10", "3.11", "3.12", "3.13"}]
    if not usable:
        pytest.skip("no CPython 3.10 to 3.13 on this machine")
    return usable[-1]


@pytest.fixture(autouse=True)
def _may_trace() -> None:
    """Skip where this machine cannot inject at all."""
    if os.uname().machine != "x86_64":
        pytest.skip("the injector is written for x86-64")

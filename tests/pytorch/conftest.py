"""What the tests of `dstop.pytorch` share: the interpreters of this machine, and PyTorch on a simulated device."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WHO = "import os,sys;print('%d.%d' % sys.version_info[:2]);print(os.path.realpath(sys.executable))"
"""What tells one interpreter from another link to the same."""


class Cudasim:
    """The CUDA build of PyTorch on a simulated device of its own; see the README of cudasim."""

    def __init__(self, python: str, name: str) -> None:
        """Name a device that nobody else uses."""
        self.python = python
        self.name = name

    def environment(self, **more: str) -> dict[str, str]:
        """Give the environment of a process on this device: `CUDASIM_TOTAL="2GiB"` and the like come in `more`."""
        libraries = sorted(Path(self.python).parent.parent.glob("lib/python3*/site-packages/nvidia/cu*/lib"))
        path = os.pathsep.join([*map(str, libraries), os.environ.get("LD_LIBRARY_PATH", "")])
        env = {
            name: value for name, value in os.environ.items() if not name.startswith(("CUDASIM_", "DSTOP_"))
        }
        env |= {"CUDASIM_NAME": self.name, "LD_LIBRARY_PATH": path.rstrip(os.pathsep), "OMP_NUM_THREADS": "1"}
        return env | more

    def start(self, source: str, **more: str) -> subprocess.Popen[str]:
        """Run a program; its standard streams are pipes of text."""
        return subprocess.Popen(
            [self.python, "-u", "-c", source],
            env=self.environment(**more),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def clean(self) -> None:
        """Take the device away."""
        for path in Path("/dev/shm").glob(f"*{self.name}*"):  # noqa: S108 - where cudasim keeps its devices
            path.unlink(missing_ok=True)


NEWEST, OLDEST = "DSTOP_CUDASIM_PYTHON", "DSTOP_CUDASIM_PYTHON_OLD"


@pytest.fixture(scope="session")
def new_cudasim() -> Iterator[Callable[..., Cudasim]]:
    """Give what makes PyTorch on a fresh simulated device, of the newest release or of the oldest supported one."""
    made: list[Cudasim] = []

    def make(variable: str = NEWEST) -> Cudasim:
        python = os.environ.get(variable)
        if not python:
            pytest.skip(f"{variable} does not name a Python with PyTorch on a simulated device")
        made.append(Cudasim(python, f"dstop-test-{uuid.uuid4().hex[:12]}"))
        return made[-1]

    yield make
    for simulated in made:
        simulated.clean()


@pytest.fixture
def cudasim(new_cudasim: Callable[..., Cudasim]) -> Iterator[Cudasim]:
    """Give PyTorch on a fresh simulated device; its processes are the test's to end."""
    simulated = new_cudasim()
    yield simulated
    simulated.clean()


def _candidates() -> list[str]:
    found = [path for minor in range(9, 16) if (path := shutil.which(f"python3.{minor}")) is not None]
    root = Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser()
    return found + [str(path) for path in sorted(root.glob("versions/*/bin/python3"))]


def find_pythons() -> dict[str, str]:
    """Give one interpreter of every minor version from 3.9 on: `{"3.12": path}`, oldest first."""
    found: dict[str, str] = {}
    for path in _candidates():
        try:
            done = subprocess.run(
                [path, "-I", "-c", WHO], capture_output=True, text=True, timeout=60, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        version, _, executable = done.stdout.strip().partition("\n")
        if done.returncode == 0 and re.fullmatch(r"3\.(9|1\d)", version):
            found.setdefault(version, executable)
    return dict(sorted(found.items(), key=lambda item: int(item[0].split(".")[1])))


@pytest.fixture(scope="session")
def pythons() -> dict[str, str]:
    """Give the interpreters of this machine, one of every minor version from 3.9 on, oldest first."""
    return find_pythons()

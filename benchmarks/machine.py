"""What everything is measured on: simulated GPUs, a load that looks like jobs, and the peers of dstop.

All of it lives in `$XDG_CACHE_HOME/dstop/bench`; nothing else of the user's is touched.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
import venv
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dstop" / "bench"
RECORD = struct.Struct("<80sQQ")
"""One function in the counter file of the simulator: name, calls, failures."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A program to measure: its live screen at one refresh a second, and its one-shot forms."""

    name: str
    live: tuple[str, ...] = ()
    quit_key: str = "q"
    once: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


def build_simulator(*flags: str) -> Path:
    """Compile the simulated driver and the load, optimised, and give their folder."""
    folder = CACHE / "-".join(["sim", *(flag.removeprefix("-D").lower() for flag in flags)])
    subprocess.run([ROOT / "tests" / "nvmlsim" / "build.sh", folder, "-O2", *flags], check=True)
    return folder


def dstop() -> Subject:
    """Give this working tree's dstop: its command where it is installed, else the package itself."""
    script = Path(sys.executable).with_name("dstop")
    start = (str(script),) if script.exists() else (sys.executable, "-m", "dstop")
    env = {} if script.exists() else {"PYTHONPATH": str(ROOT)}
    once = {"dstop --once": (*start, "--once"), "dstop --json": (*start, "--json")}
    return Subject(name="dstop", live=start, once=once, env=env)


def installed(package: str) -> Path:
    """Give a peer's command from a virtual environment of its own, installing it when it is not there yet."""
    folder = CACHE / "venvs" / package
    command = folder / "bin" / package
    if not command.exists():
        venv.create(folder, with_pip=True, symlinks=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", package, "setuptools<81"]
        subprocess.run(pip, check=True)
    return command


def nvitop() -> Subject:
    """Give nvitop, the peer that ratios are taken to."""
    command = str(installed("nvitop"))
    return Subject(name="nvitop", live=(command, "--interval", "1"), once={"nvitop -1": (command, "-1")})


def gpustat() -> Subject:
    """Give gpustat, which has no keys: an interrupt ends it."""
    command = str(installed("gpustat"))
    return Subject(
        name="gpustat",
        live=(command, "-cup", "-i", "1"),
        quit_key="\x03",
        once={"gpustat": (command, "-cup"), "gpustat --json": (command, "--json")},
    )


SUBJECTS = {"dstop": dstop, "nvitop": nvitop, "gpustat": gpustat}


def subjects(names: list[str]) -> list[Subject]:
    """Give the named programs; `NAME=COMMAND …` is one that is not known here.

    Raises:
        SystemExit: when a name is neither.
    """
    found = []
    for name in names:
        known, _, command = name.partition("=")
        if command:
            found.append(Subject(name=known, live=tuple(command.split())))
        elif known in SUBJECTS:
            found.append(SUBJECTS[known]())
        else:
            raise SystemExit(
                f"{known!r} is none of {', '.join(SUBJECTS)}; write {known}='its command' for another"
            )
    return found


class Machine:
    """One run's machine: an environment to start programs in, a fault file, a counter of driver calls."""

    def __init__(self, folder: Path, library: Path, gpus: int, procs: int) -> None:
        self._folder = folder
        home = folder / "home"
        home.mkdir()
        hidden = ("NVMLSIM_", "TMUX", "LINES", "COLUMNS", "XDG_", "PYTHON", "TEXTUAL")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        self.env |= {
            "LD_LIBRARY_PATH": str(library),
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "HOME": str(home),
            "NVMLSIM_GPUS": str(gpus),
            "NVMLSIM_PROCS": str(procs),
            "NVMLSIM_PIDS": f"@{folder / 'pids'}",
            "NVMLSIM_COUNTS": str(folder / "counts"),
            "NVMLSIM_FAULTS": str(folder / "faults"),
            "NVMLSIM_FAULT_MS": "100",
        }

    def faults(self, text: str) -> None:
        """Rewrite the fault file; a call into the driver sees it within 100 ms."""
        fresh = self._folder / "faults.new"
        fresh.write_text(text + "\n", encoding="utf-8")
        fresh.replace(self._folder / "faults")

    def calls(self) -> int:
        """Give how many driver calls have been made so far."""
        try:
            data = (self._folder / "counts").read_bytes()
        except FileNotFoundError:
            return 0
        whole = data[: len(data) // RECORD.size * RECORD.size]
        return sum(int(record[1]) for record in RECORD.iter_unpack(whole))


@contextmanager
def machine(library: Path, gpus: int, procs: int) -> Iterator[Machine]:
    """Give a fresh machine with its load running: a new home, no faults, counters at nought."""
    with tempfile.TemporaryDirectory(prefix="dstop-bench-") as temporary:
        folder = Path(temporary)
        count = max(1, gpus * procs)
        with subprocess.Popen(
            [library / "dummyload", str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as load:
            if load.stdin is None or load.stdout is None:
                raise RuntimeError("pipes were asked for and not given")
            pids = [load.stdout.readline() for _ in range(count)]
            (folder / "pids").write_text("".join(pids), encoding="utf-8")
            yield Machine(folder, library, gpus, procs)
            load.stdin.close()

"""A GPU machine for one test: the simulated driver, processes that look like training, faults on demand.

Tests reach it through the fixture `rig`, because a folder of tests is no package to import from.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HERE = Path(__file__).parent
RECORD = struct.Struct("<80sQQ")
"""One function in the counter file: its name, how often it was called, how often it failed on purpose."""


def build(folder: Path, *flags: str) -> Path:
    """Compile the simulated library and the dummy load into a folder, and give the folder.

    Raises:
        FileNotFoundError: when there is no C compiler.
        RuntimeError: when the compiler refuses the source, with what it said.
    """
    if shutil.which("cc") is None:
        raise FileNotFoundError("no C compiler (cc) to build the simulated NVML with")
    said = subprocess.run([HERE / "build.sh", folder, *flags], capture_output=True, text=True, check=False)
    if said.returncode:
        raise RuntimeError(said.stderr)
    return folder


class Rig:
    """One simulated machine. Every environment it gives shares its fault file, its counters and its load."""

    def __init__(self, library: Path, old_library: Path, library_535: Path, folder: Path) -> None:
        self.library = library
        self.libraries = {"old": old_library, "535": library_535}
        self.folder = folder
        self.fault_file = folder / "faults"
        self.counter_file = folder / "counters"
        self._pid_file = folder / "pids"
        self._loads: list[subprocess.Popen[str]] = []
        self._before: dict[str, str] | None = None

    def env(self, gpus: int = 8, procs: int = 8, board: str = "h100", **extra: object) -> dict[str, str]:
        """Give the environment of a program that is to find this machine.

        A lower-case name in `extra` is a setting of the simulator (`mig="0:3g.40gb"`, `latency_us=200`); any
        other is a variable as it stands (`COLUMNS="80"`). The boards `old` and `535` (an H100) come with
        the libraries of drivers 470 and 535.54.
        """
        env = {name: value for name, value in os.environ.items() if not name.startswith("NVMLSIM_")}
        env["LD_LIBRARY_PATH"] = str(self.libraries.get(board, self.library))
        env.update(self._settings(gpus, procs, board, extra))
        return env

    def use(self, gpus: int = 8, procs: int = 8, board: str = "h100", **extra: object) -> ctypes.CDLL:
        """Make this process find the machine: loads the library and has it read its settings afresh.

        The loader gives a library that is loaded to whoever asks for its soname, so pynvml meets this one.
        Those of `old` and `535` cannot take its place in the same process: run it in a child.
        """
        if board in self.libraries:
            raise ValueError("one process cannot hold two libraries of one soname: run a child")
        if self._before is None:
            self._before = {name: value for name, value in os.environ.items() if name.startswith("NVMLSIM_")}
        self._forget_settings()
        os.environ.update(self._settings(gpus, procs, board, extra))
        library = ctypes.CDLL(str(self.library / "libnvidia-ml.so.1"), mode=ctypes.RTLD_GLOBAL)
        library.nvmlsim_reset()
        return library

    def faults(self, text: str) -> None:
        """Rewrite the fault file; the next call into the driver sees it. An empty text heals everything."""
        fresh = self.fault_file.with_suffix(".new")
        fresh.write_text(text + "\n")
        fresh.replace(self.fault_file)

    def run(
        self,
        what: str | Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
        stdin: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run Python code (a string) or a command (a sequence) on this machine, and give what came out."""
        command = [sys.executable, "-c", what] if isinstance(what, str) else [str(part) for part in what]
        return subprocess.run(
            command,
            env=dict(env) if env is not None else self.env(),
            capture_output=True,
            text=True,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            timeout=timeout,
            check=False,
        )

    def load(self, count: int) -> list[int]:
        """Start sleeping processes that look like GPU jobs, for the driver to list, and give their PIDs."""
        program = self.library / "dummyload"
        load = subprocess.Popen(
            [program, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._loads.append(load)
        if load.stdout is None:
            raise RuntimeError("a pipe was asked for and not given")
        pids = [int(load.stdout.readline()) for _ in range(count)]
        known = self._pid_file.read_text() if self._pid_file.exists() else ""
        self._pid_file.write_text(known + "".join(f"{pid}\n" for pid in pids))
        return pids

    def counts(self) -> dict[str, int]:
        """Give how often each function of the driver was called, by every program on this machine so far."""
        if not self.counter_file.exists():
            return {}
        data = self.counter_file.read_bytes()
        whole = data[: len(data) // RECORD.size * RECORD.size]
        return {name.split(b"\0")[0].decode(): calls for name, calls, _ in RECORD.iter_unpack(whole) if calls}

    def close(self) -> None:
        """End the load, and give the process back the environment it had."""
        for load in self._loads:
            if load.stdin:
                load.stdin.close()
            load.wait()
            if load.stdout:
                load.stdout.close()
        self._loads.clear()
        if self._before is not None:
            self._forget_settings()
            os.environ.update(self._before)
            self._before = None

    def _settings(self, gpus: int, procs: int, board: str, extra: Mapping[str, object]) -> dict[str, str]:
        settings = {
            "NVMLSIM_GPUS": str(gpus),
            "NVMLSIM_PROCS": str(procs),
            "NVMLSIM_BOARD": board,
            "NVMLSIM_FAULTS": str(self.fault_file),
            "NVMLSIM_FAULT_MS": "0",
            "NVMLSIM_COUNTS": str(self.counter_file),
        }
        if self._pid_file.exists():
            settings["NVMLSIM_PIDS"] = f"@{self._pid_file}"
        for name, value in extra.items():
            settings[f"NVMLSIM_{name.upper()}" if name.islower() else name] = str(value)
        return settings

    @staticmethod
    def _forget_settings() -> None:
        for name in [name for name in os.environ if name.startswith("NVMLSIM_")]:
            del os.environ[name]

"""The ways into a process that are compared: dstop's own, warm and from the command line, and its peers.

A peer is run on throw-away targets only: hypno is known to hang and corrupt processes, which is what is counted.
memray and debugpy attach through gdb, whose version 13 kills its targets on CPUs with AMX: they are not run at all.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import venv
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from targets import attacher

from dstop.errors import DstopError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from targets import Target

    from dstop.pytorch.inject.injector import Injection

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dstop" / "bench"
PATIENCE_S = 20.0
"""Longer than any call of a target that holds the GIL."""
HYPNO = """import sys, time
from pathlib import Path
from hypno import inject_py
pid, marker = int(sys.argv[1]), Path(sys.argv[2])
began = time.perf_counter()
inject_py(pid, "open(%r, 'w').close()" % str(marker))
while not marker.exists():
    time.sleep(0.002)
print((time.perf_counter() - began) * 1e3)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What became of one try: the time to the first figures, the longest stop, or why there was nothing."""

    latency_ms: float | None = None
    stop_us: float | None = None
    samples: int | None = None
    how: str | None = None
    failure: str | None = None
    wrong: bool = False


@contextmanager
def injections() -> Iterator[list[Injection]]:
    """Keep what the injector says of its work while it is used by `attach`, which has no need of it."""
    from dstop.pytorch.inject import injector  # noqa: PLC0415 - peers are measured without it

    inject, kept = injector.inject, []

    def keeping(*args: Any, **options: Any) -> Injection:
        found = inject(*args, **options)
        kept.append(found)
        return found

    injector.inject = keeping
    try:
        yield kept
    finally:
        injector.inject = inject


def first_figures(target: Target, timeout_s: float = PATIENCE_S) -> Attempt:
    """Attach from a process that has everything imported, and ask for the first figures."""
    from dstop.pytorch.attach import attach  # noqa: PLC0415 - peers are measured without it

    began = time.perf_counter()
    try:
        with injections() as injected:
            attached = attach(target.pid, timeout_s=timeout_s, without_torch=True)
        with attached.client as client:
            answer = client.ask("stats", timeout_s=timeout_s)
            latency_ms = (time.perf_counter() - began) * 1e3
            owner = client.ask("hello", timeout_s=timeout_s).get("pid")
    except DstopError as error:
        return Attempt(failure=str(error))
    except Exception as error:  # noqa: BLE001 - counted as a bug of dstop; the run goes on
        return Attempt(failure=f"traceback: {error!r}", wrong=True)
    wrong = not isinstance(answer.get("devices"), list) or owner != target.pid
    if target.kind == "torch" and target.interpreter.simulated:
        wrong = wrong or not answer["devices"]
    if not injected:
        return Attempt(latency_ms=latency_ms, how=attached.how, wrong=wrong)
    (injection,) = injected
    return Attempt(
        latency_ms=latency_ms,
        how=f"{attached.how}, {injection.how}",
        wrong=wrong,
        stop_us=injection.longest_stop_us,
        samples=injection.samples,
    )


def command_line(target: Target) -> Attempt:
    """Run `dstop attach PID --once --json` from start to exit."""
    command = [*attacher(), "attach", str(target.pid), "--once", "--json"]
    began = time.perf_counter()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return Attempt(failure=f"not within {PATIENCE_S:.0f} s")
    latency_ms = (time.perf_counter() - began) * 1e3
    if done.returncode != 0:
        return Attempt(failure=(done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1])
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        return Attempt(failure="no JSON", wrong=True)
    how = (answer.get("hook") or {}).get("how")
    return Attempt(latency_ms=latency_ms, how=how, wrong=answer.get("pid") != target.pid)


def _installed(package: str) -> Path:
    """Give the Python of a peer's own virtual environment, installing the peer when it is not there yet."""
    python = CACHE / "venvs" / package / "bin" / "python"
    if not python.with_name(f"{package}.installed").exists():
        venv.create(python.parents[1], with_pip=True, symlinks=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", package], check=True)
        python.with_name(f"{package}.installed").touch()
    return python


def _peer(command: list[str], how: str) -> tuple[Attempt, str]:
    """Run a peer to its end, from start to exit."""
    began = time.perf_counter()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return Attempt(failure=f"not within {PATIENCE_S:.0f} s"), ""
    latency_ms = (time.perf_counter() - began) * 1e3
    if done.returncode != 0:
        return Attempt(failure=(done.stderr.strip().splitlines() or ["?"])[-1]), ""
    return Attempt(latency_ms=latency_ms, how=how), done.stdout


def py_spy(target: Target) -> Attempt:
    """Run `py-spy dump`, which only reads the target's memory while it is stopped: the least anybody could do."""
    command = _installed("py-spy").with_name("py-spy")
    return _peer([str(command), "dump", "--pid", str(target.pid)], "read")[0]


def hypno(target: Target) -> Attempt:
    """Run Python code through hypno (pyinjector), with its own start and imports left out of the time."""
    if target.interpreter.root != Path("/"):
        return Attempt(failure="cannot reach into another file system")
    marker = target.folder / "marker"
    attempt, told = _peer(
        [str(_installed("hypno")), "-c", HYPNO, str(target.pid), str(marker)], "hijacked thread"
    )
    return attempt if attempt.failure else Attempt(latency_ms=float(told), how=attempt.how)


def nothing(target: Target) -> Attempt:
    """Attach nobody: what the machine's own noise looks like in the other columns."""
    del target
    time.sleep(0.2)
    return Attempt(latency_ms=None, how="none")


WAYS: dict[str, Callable[[Target], Attempt]] = {
    "dstop": first_figures,
    "dstop attach --once --json": command_line,
    "py-spy dump": py_spy,
    "hypno": hypno,
    "nobody": nothing,
}


def prepare(names: list[str]) -> None:
    """Install the peers before anything is measured.

    Raises:
        SystemExit: when a name is not known here.
    """
    for name in names:
        if name not in WAYS:
            raise SystemExit(f"{name!r} is none of {', '.join(WAYS)}")
        if name == "py-spy dump":
            _installed("py-spy")
        elif name == "hypno":
            _installed("hypno")

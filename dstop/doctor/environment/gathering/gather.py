"""Gathering all facts at once, each part on a thread that may be left behind: anything of a sick machine can hang."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from dstop.doctor.environment.facts import (
    SHELL,
    Boards,
    ContainerFacts,
    DriverFacts,
    Facts,
    KernelLogFacts,
    LimitFacts,
    MemoryFacts,
    Scope,
)
from dstop.doctor.environment.gathering.boards import read_boards
from dstop.doctor.environment.gathering.driver import read_driver
from dstop.doctor.environment.gathering.jobs import Jobs, read_jobs
from dstop.doctor.environment.gathering.kernel_log import read_kernel_log
from dstop.doctor.environment.gathering.limits import read_container, read_limits
from dstop.doctor.environment.gathering.memory import read_memory
from dstop.doctor.environment.gathering.torch_builds import find_torch_builds
from dstop.doctor.environment.gathering.variables import nccl_files, shell_scope
from dstop.errors import DstopError
from dstop.sources.nvml.absence import DEMO
from dstop.sources.nvml.attempt import Attempt
from dstop.sources.procfs.reading import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dstop.model.sample import Sample
    from dstop.sources import Source

PART_S = 1.0
DRIVER_S = 20.0
"""Longest wait for a source: one of NVML gives up by itself after 15 s, when a driver does not start."""


class _Driver(NamedTuple):
    sample: Sample | None = None
    reason: str | None = None
    fix: str | None = None
    boards: Boards = Boards()


def gather(
    root: str,
    environ: Mapping[str, str],
    source_factory: Callable[[], Source],
    *,
    board_reader: Callable[[int], Boards] | None = read_boards,
    patience_s: float = 0.5,
) -> Facts:
    """Look at the machine; never raises for what the machine is like, and never waits for what hangs.

    Args:
        root: of the file system that holds `proc`, `sys`, `dev`, …: `/`.
        environ: the environment that jobs started here would get.
        source_factory: opens the driver; how long a driver may take to start is the source's affair.
        board_reader: asks a number of cards what a sample does not hold; None where no NVML is behind the source.
        patience_s: how long a driver that is up may take to answer.
    """
    began_s = time.monotonic()
    driver = Attempt(lambda: _read_driver(source_factory, board_reader, patience_s))
    parts = _start(root, environ)
    missing: dict[str, str] = {}
    answer: _Driver = _settled("sample", driver, _Driver(), DRIVER_S, missing)
    minors = {board.minor: board.index for board in answer.boards.boards if board.minor is not None}
    jobs_attempt = Attempt(lambda: read_jobs(root, answer.sample, minors))
    found = {
        name: _settled(name, attempt, default, began_s + PART_S - time.monotonic(), missing)
        for name, (attempt, default) in parts.items()
    }
    jobs: Jobs = _settled("jobs", jobs_attempt, Jobs(), PART_S, missing)
    return Facts(
        sample=answer.sample,
        no_sample=answer.reason or missing.get("sample"),
        no_sample_fix=answer.fix,
        boards=answer.boards,
        jobs=jobs.scopes,
        holders=jobs.holders,
        sees_all_holders=jobs.sees_all,
        unavailable=missing,
        **found,
    )


def _start(root: str, environ: Mapping[str, str]) -> dict[str, tuple[Attempt[Any], Any]]:
    """Set all readers going that need no driver; each with what stands for it when it does not come back."""
    return {
        "driver": (Attempt(lambda: read_driver(root)), DriverFacts()),
        "torches": (Attempt(lambda: find_torch_builds(root, environ)), ()),
        "container": (Attempt(lambda: read_container(root, environ)), ContainerFacts()),
        "memory": (Attempt(lambda: read_memory(root)), MemoryFacts()),
        "limits": (Attempt(lambda: read_limits(root)), LimitFacts()),
        "kernel_log": (Attempt(lambda: read_kernel_log(root)), KernelLogFacts(reason="it was not read")),
        "shell": (Attempt(lambda: shell_scope(environ)), Scope(name=SHELL)),
        "files": (Attempt(lambda: nccl_files(root, environ)), ()),
    }


def _settled(name: str, attempt: Attempt[Any], default: Any, wait_s: float, missing: dict[str, str]) -> Any:
    """Take what an attempt gave, or the default with the reason why."""
    try:
        found = attempt.wait(max(0.0, wait_s))
    except Exception as error:  # noqa: BLE001 - whatever a machine makes a reader stumble over becomes a reason
        missing[name] = f"{type(error).__name__}: {clean(str(error))[:200]}"
        return default
    if found is None:
        missing[name] = "did not come back in time"
        return default
    return found


def _read_driver(
    source_factory: Callable[[], Source], board_reader: Callable[[int], Boards] | None, patience_s: float
) -> _Driver:
    try:
        source = source_factory()
    except DstopError as error:
        return _Driver(reason=error.message, fix=_fix(error))
    try:
        sample = source.read(patience_s=patience_s)
        if board_reader is None or sample.simulated is not None:
            return _Driver(sample)
        return _Driver(sample, boards=board_reader(len(sample.gpus)))
    except DstopError as error:
        return _Driver(reason=error.message, fix=_fix(error))
    finally:
        source.close()


def _fix(error: DstopError) -> str | None:
    """Leave out the hint at the demo, which mends no machine."""
    fix = (error.fix or "").removesuffix(DEMO).removesuffix("; ")
    return fix or None

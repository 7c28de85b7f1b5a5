"""A process as evidence: its own log, the incidents it left, its environment, and what the kernel said of it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from dstop.doctor.read import report_of
from dstop.doctor.sources.kernel import kernel_log
from dstop.doctor.sources.nearby import newest_job
from dstop.doctor.text.read import read_log
from dstop.errors import DstopError
from dstop.pytorch.incident.allowed import allowed_environment
from dstop.pytorch.incident.listing import list_incidents
from dstop.pytorch.incident.place import all_places
from dstop.sources.procfs.reading import read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from dstop.doctor.text.values import LogText
    from dstop.model.diagnosis import Report
    from dstop.pytorch.incident.values import Incident
    from dstop.sources import Source

_MOST_ENVIRON_BYTES = 256 * 1024


def report_of_process(
    pid: int,
    environ: Mapping[str, str],
    since_s: float,
    *,
    kernel: bool,
    proc: str = "/proc",
    cards: Callable[[], Source] | None = None,
) -> Report:
    """Diagnose a process that runs, or that has ended and left an incident.

    Raises:
        DstopError: when there is no such process, and it left nothing.
    """
    base = f"{proc}/{pid}"
    runs = os.path.isdir(base)  # noqa: PTH112 - a path of /proc, and no Path is needed
    left = _incidents(pid, environ)
    if not runs and not left:
        raise DstopError(
            f"there is no process {pid}, and it left no incident",
            fix="name its log, or run it under dstop run",
        )
    logs: list[LogText] = []
    notes: list[str] = [] if runs else [f"process {pid} has ended: this is what it left"]
    for path in _own_logs(base) if runs else ():
        try:
            logs.append(read_log(path))
        except DstopError as error:
            notes.append(str(error))
    if runs and not logs:
        notes.append(f"process {pid} writes to no file that can be read: pipe its output into dstop doctor -")
    if kernel:
        logs.insert(0, kernel_log(since_s))
    return report_of(logs, left, _environment(base), notes, cards)


def _incidents(pid: int, environ: Mapping[str, str]) -> Sequence[Incident]:
    found = [one for place in all_places(environ) for one in list_incidents(Path(place)) if one.pid == pid]
    return newest_job(found)


def _own_logs(base: str) -> Iterator[Path]:
    """Give the regular files that standard output and error go to, each once."""
    seen: set[tuple[int, int]] = set()
    for descriptor in (2, 1):
        path = Path(f"{base}/fd/{descriptor}")
        try:
            told = path.stat()
            target = path.readlink()
        except OSError:
            continue
        if stat.S_ISREG(told.st_mode) and (told.st_dev, told.st_ino) not in seen:
            seen.add((told.st_dev, told.st_ino))
            yield target if target.is_absolute() and target.exists() else path


def _environment(base: str) -> dict[str, str]:
    """Give what of its environment an incident would keep: settings, without secrets."""
    text = read_text(f"{base}/environ", _MOST_ENVIRON_BYTES) or ""
    pairs = (item.partition("=") for item in text.split("\0") if "=" in item)
    kept, _ = allowed_environment({name: value for name, _, value in pairs})
    return kept

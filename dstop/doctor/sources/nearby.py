"""Where `dstop doctor` looks when nobody says where: the newest incidents, and the job's own log."""

from __future__ import annotations

import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dstop.model.value import Value
from dstop.pytorch.incident.listing import list_incidents
from dstop.pytorch.incident.place import all_places

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dstop.pytorch.incident.values import Incident

DAY_S = 86_400.0
_SAME_JOB_NS = 900_000_000_000
"""Ranks of one job fail within the time that NCCL's watchdog waits for them."""
_LOG_NAMES = (
    "slurm-*.out",
    "slurm-*.err",
    "nohup.out",
    "*.log",
    "*.out",
    "*.err",
    "log.txt",
    "logs/*.log",
    "logs/*.txt",
)
_MOST_LOGS = 3
_MOST_LOOKED_AT = 2000
_AROUND_S = 900.0
"""A log that was written this long after an incident may still be its job's."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Nearby(Value):
    """What was found without being told."""

    incidents: tuple[Incident, ...] = ()
    """Of the newest job, oldest first."""
    older: int = 0
    """Incidents of other jobs within the window."""
    logs: tuple[Path, ...] = ()
    """Newest first."""


def look_nearby(environ: Mapping[str, str], folder: Path, since_s: float = DAY_S) -> Nearby:
    """Look where evidence of a recent failure may lie.

    Args:
        environ: names the places of incidents.
        folder: where the user stands; logs are looked for in it alone.
        since_s: how far back.
    """
    now_ns = time.time_ns()
    since_ns = now_ns - int(since_s * 1e9)
    found = [one for place in all_places(environ) for one in list_incidents(Path(place), since_ns)]
    newest = newest_job(found)
    at_s = max((one.at_ns or 0 for one in newest), default=0) / 1e9
    logs = _logs(folder, now_ns / 1e9 - since_s)
    if newest:
        logs = [path for path in logs if abs(path.stat().st_mtime - at_s) <= _AROUND_S]
    if any("output" in one.files for one in newest):
        logs = []  # its output was kept: the log would say the same again
    return Nearby(incidents=newest, older=len(found) - len(newest), logs=tuple(logs[:_MOST_LOGS]))


def newest_job(incidents: Iterable[Incident]) -> tuple[Incident, ...]:
    """Give the incidents of the job that failed last: of one `dstop run`, or of ranks that met the same master."""
    ordered = sorted(incidents, key=lambda one: (one.at_ns or 0, one.name))
    if not ordered:
        return ()
    last = ordered[-1]
    return tuple(one for one in ordered if one is last or _same_job(one, last))


def _same_job(one: Incident, last: Incident) -> bool:
    if one.run is not None and last.run is not None:
        return one.run == last.run
    near = abs((one.at_ns or 0) - (last.at_ns or 0)) <= _SAME_JOB_NS
    return near and bool(_master(one)) and _master(one) == _master(last)


def _master(one: Incident) -> tuple[str | None, str | None] | None:
    port = one.environment.get("MASTER_PORT")
    return None if port is None else (one.environment.get("MASTER_ADDR"), port)


def _logs(folder: Path, since: float) -> Sequence[Path]:
    found: dict[Path, float] = {}
    for name in _LOG_NAMES:
        try:
            for count, path in enumerate(folder.glob(name)):
                if count >= _MOST_LOOKED_AT:
                    break
                told = path.stat()
                if stat.S_ISREG(told.st_mode) and told.st_size and told.st_mtime >= since:
                    found[path] = told.st_mtime
        except OSError:
            continue
    return sorted(found, key=lambda path: -found[path])

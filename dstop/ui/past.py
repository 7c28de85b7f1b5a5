"""What crashes left on this machine, and what the doctor says of one; both take their time, so a thread does them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dstop.errors import DstopError
from dstop.pytorch.incident.listing import list_incidents
from dstop.pytorch.incident.place import all_places

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dstop.model.diagnosis import Report
    from dstop.pytorch.incident.values import Incident

    Run = tuple[Incident, ...]


def incidents_here() -> tuple[Incident, ...]:
    """Read the incidents of every place where a hook may have put them."""
    found: dict[str, Incident] = {}
    for place in all_places(os.environ):
        for incident in list_incidents(Path(place)):
            found.setdefault(os.path.realpath(incident.directory), incident)
    return tuple(found.values())


def runs_of(incidents: Iterable[Incident]) -> tuple[Run, ...]:
    """Put what one `dstop run` left together, oldest first within a run, the newest run first."""
    runs: dict[str, list[Incident]] = {}
    for incident in sorted(incidents, key=lambda each: (each.at_ns or 0, each.name)):
        runs.setdefault(incident.run or incident.name, []).append(incident)
    return tuple(tuple(run) for run in sorted(runs.values(), key=lambda run: -(run[-1].at_ns or 0)))


def diagnosed(run: Sequence[Incident]) -> Report:
    """Have the doctor look at what one run left.

    Raises:
        DstopError: when it fails; that is a bug, but none of the figures on the screen.
    """
    from dstop.doctor.read import report_of  # noqa: PLC0415 - all rules are loaded for it
    from dstop.doctor.sources.snapshots import SCREEN  # noqa: PLC0415 - as above

    try:
        return report_of((), run, bounds=SCREEN)
    except Exception as error:
        where = run[-1].directory
        raise DstopError(f"the doctor failed: {error!r}", fix=f"dstop doctor {where} says where") from error

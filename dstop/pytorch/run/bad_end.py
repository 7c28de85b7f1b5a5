"""After a bad end: decide whether it needs explaining, write the incident, and make the one line of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from dstop.pytorch.incident.listing import prune
from dstop.pytorch.run.exit_incident import write_exit_incident
from dstop.pytorch.run.sentence import doctor_hint, ending_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.pytorch.incident.values import Exit
    from dstop.pytorch.run.evidence import Evidence
    from dstop.pytorch.run.options import Run
    from dstop.pytorch.run.watch import Ending

_ASKED_S = 60.0
"""Who was asked to stop may take this long: torchrun gives its workers half a minute."""


def leave_incident(
    run: Run, evidence: Evidence, ending: Ending, child: int, last_lines: Sequence[str]
) -> str | None:
    """Write the incident of a run that ended badly, and give the line for the user.

    None when the user stopped it and nothing ran out of memory.
    """
    at_ns = time.time_ns()
    incidents = Path(run.incidents)
    oom = evidence.oom_incidents(run)
    told = evidence.of_exit(ending, oom)
    if was_stopped(ending, told):
        return None
    line = ending_line(run.command[0], told, oom, at_ns)
    try:
        directory = write_exit_incident(run, told, at_ns=at_ns, pid=child, last_lines=last_lines)
    except OSError as error:
        return (
            f"{line}; no incident could be written to {run.incidents}: {error.strerror}: try --incidents DIR"
        )
    prune(incidents)
    return f"{line}: {doctor_hint(directory)}"


def was_stopped(ending: Ending, told: Exit) -> bool:
    """Whether the command ended because somebody asked it to, and for no want of memory.

    Python ends by SIGINT after Ctrl-C; torchrun, and others that tidy up first, with 1 or with 128 and the number.
    """
    if ending.asked is None or ending.asked_s is None or ending.asked_s > _ASKED_S:
        return False
    return not (told.oom_incidents or told.memory_events.get("oom_kill"))

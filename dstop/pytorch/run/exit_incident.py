"""Writing down a bad end: the `-exit` incident of a run."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from dstop.pytorch.incident.allowed import allowed_environment
from dstop.pytorch.incident.place import incident_name
from dstop.pytorch.incident.write import write_incident
from dstop.sources.procfs.redaction import redact_cmdline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.pytorch.incident.values import Exit
    from dstop.pytorch.run.options import Run

SCHEMA = 1


def write_exit_incident(run: Run, told: Exit, *, at_ns: int, pid: int, last_lines: Sequence[str]) -> Path:
    """Write the incident and give its directory; what is secret in the command or its environment stays out.

    Args:
        run: whose end it was.
        told: how it ended.
        at_ns: when.
        pid: of the command.
        last_lines: of its output.

    Raises:
        OSError: when it cannot be written.
    """
    environment, names = allowed_environment(run.environ)
    output = "".join(f"{line}\n" for line in last_lines).encode()
    record = {
        "schema": SCHEMA,
        "kind": "exit",
        "at_ns": at_ns,
        "host": platform.node(),
        "pid": pid,
        "run": run.id,
        "name": run.name,
        "cmdline": redact_cmdline(run.command),
        "cwd": _directory(),
        "environment": environment,
        "environment_names": names,
        "exit": {field: getattr(told, field) for field in told.__slots__},
        "files": {"output": "output.txt"} if output else {},
        "unavailable": {} if output else {"output": "the command wrote nothing, or its output was not kept"},
    }
    files = {"output.txt": output} if output else {}
    return write_incident(Path(run.incidents), incident_name(at_ns, pid, "exit"), record, files)


def _directory() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - Path adds nothing
    except OSError:
        return None  # it was removed meanwhile

"""The environment a process was started with, read only when somebody looks at it.

It is the one of its start: what a program sets for itself later is not in `/proc/PID/environ`
(proc_pid_environ(5)).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value
from dstop.sources.procfs.reading import clean_bytes, read_bytes
from dstop.sources.procfs.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ANOTHER_USER", "Environment", "parse_environ", "read_environment", "redact"]

LARGEST_BYTES = 256 << 10

NONE = "it has no environment (a kernel thread, or a process that has ended)"
ANOTHER_USER = "environment of another user: needs root"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Environment(Value):
    """Names and values, not yet redacted; or None and the reason."""

    values: Mapping[str, str] | None = None
    reason: str | None = None


def read_environment(pid: int, root: str = "/proc") -> Environment:
    """Read the environment, at most 256 KiB of it; whoever shows it calls `redact` first.

    It may wait for ever when the process hangs in a driver call: call it where waiting hurts nobody.
    """
    folder = f"{root}/{pid}"
    try:
        return Environment(values=parse_environ(read_bytes(f"{folder}/environ", LARGEST_BYTES)))
    except PermissionError:
        return Environment(reason=_why_refused(folder))
    except ProcessLookupError:
        there = os.path.exists(folder)  # noqa: PTH110 - Path costs more than the call
        return Environment(reason=NONE if there else "the process is gone")
    except OSError:
        return Environment(reason="the process is gone")


def parse_environ(data: bytes) -> dict[str, str]:
    """Take apart `NAME=value` pairs that end in NUL; no pair is left out, the first of a name counts."""
    values: dict[str, str] = {}
    for piece in data.split(b"\0"):
        name, equals, value = piece.partition(b"=")
        if equals and name:
            values.setdefault(clean_bytes(name), clean_bytes(value))
    return values


def _why_refused(folder: str) -> str:
    try:
        owner = os.stat(folder).st_uid  # noqa: PTH116 - Path costs more than the call
    except OSError:
        return "the process is gone"
    if os.geteuid() == 0:
        return "environment refused: needs the capability SYS_PTRACE"
    return "environment refused: the process protects itself" if owner == os.geteuid() else ANOTHER_USER

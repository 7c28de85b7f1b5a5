"""Where incidents lie, and how their directories are named."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

from dstop.places import state_home

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"\d{8}T\d{6}\.\d{3}-\d{1,10}(-r\d{1,6})?-(oom|exit)\Z", re.ASCII)
_UNFINISHED = re.compile(r"\.\d{8}T\d{6}\.\d{3}-\d{1,10}[\w.-]{0,60}\Z", re.ASCII)


def default_place(environ: Mapping[str, str]) -> str:
    """Give the directory of incidents: DSTOP_INCIDENTS, else `dstop/incidents` where programs keep their state.

    It is text, because `pathlib` costs more than all of `dstop run` has to do before the command runs.
    """
    return environ.get("DSTOP_INCIDENTS") or f"{state_home(environ)}/incidents"


def all_places(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Give every directory where the hook may have put an incident, the usual one first.

    Where the usual one cannot be written, or others can write to it, the hook falls back to its socket's directory.
    """
    sockets = [environ.get("DSTOP_DIR", "")]
    if environ.get("XDG_RUNTIME_DIR"):
        sockets.append(f"{environ['XDG_RUNTIME_DIR']}/dstop")
    sockets.append(f"/tmp/dstop-{os.geteuid()}")  # noqa: S108 - only read, and as hostile as all of them
    return (default_place(environ), *(f"{directory}/incidents" for directory in sockets if directory))


def incident_name(at_ns: int, pid: int, kind: str) -> str:
    """Name an incident so that names sort by time: `20251231T235959.123-4711-exit`, in UTC."""
    at = time.gmtime(at_ns // 1_000_000_000)
    return f"{time.strftime('%Y%m%dT%H%M%S', at)}.{at_ns // 1_000_000 % 1000:03d}-{pid}-{kind}"


def is_incident_name(name: str) -> bool:
    """Whether a directory is one of ours, by its name: nothing else is ever read as one, or removed."""
    return _NAME.match(name) is not None


def is_unfinished_name(name: str) -> bool:
    """Whether it is an incident that is still being written, or whose writer died."""
    return _UNFINISHED.match(name) is not None

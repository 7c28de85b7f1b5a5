"""A parsed incident written as its own file again, so that dstop reads it wherever it was sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from dstop.export.values import finite
from dstop.units import MIB

if TYPE_CHECKING:
    from dstop.pytorch.incident.values import Incident

SCHEMA = 1
LONGEST = 2 * MIB
"""Characters; the stacks of a process with thousands of threads go first, then the allocator's counters."""
_NOT_TOLD = frozenset({"name", "directory", "bytes", "run_name", "thread", "files"})
_LARGE = ("threads", "devices", "environment_names", "environment", "unavailable", "cmdline")


def incident_text(incident: Incident, files: Mapping[str, str]) -> str:
    """Write `incident.json` of an incident.

    Args:
        incident: what was parsed, redacted where it is to leave the machine.
        files: role -> name of those files that lie beside it.
    """
    told = {
        one.name: _plain(getattr(incident, one.name)) for one in fields(incident) if one.name not in _NOT_TOLD
    }
    thread = None if incident.thread is None else {"name": incident.thread}
    told = {"schema": SCHEMA, "name": incident.run_name, **told, "thread": thread, "files": dict(files)}
    text = json.dumps(told, indent=1, allow_nan=False)
    for name in _LARGE:
        if len(text) <= LONGEST:
            break
        told[name] = None
        text = json.dumps(told, indent=1, allow_nan=False)
    return text + "\n"


def _plain(value: object) -> Any:
    if isinstance(value, float):
        return finite(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    return value

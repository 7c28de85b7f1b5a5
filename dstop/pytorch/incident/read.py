"""Reading one incident's directory: nothing is followed out of it, nothing larger than its bound is read.

The directory may have been written by a job of another user, or by nobody's hook at all.
"""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

from dstop.errors import DstopError
from dstop.pytorch.incident.parse import parse_incident
from dstop.pytorch.incident.place import is_incident_name

if TYPE_CHECKING:
    from pathlib import Path

    from dstop.pytorch.incident.values import Incident

LARGEST_BYTES = 8 << 20
"""Of `incident.json`."""

_MOST_FILES = 64
_PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read_incident(directory: Path) -> Incident:
    """Read an incident.

    Raises:
        DstopError: when it is none, cannot be read, or is larger than its bound.
    """
    if not is_incident_name(directory.name):
        raise DstopError(
            f"{directory} is no incident of dstop", fix="name a directory that ends in -oom or -exit"
        )
    try:
        folder = os.open(directory, os.O_DIRECTORY | os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise _unreadable(directory, error.strerror or "") from error
    try:
        present, size_bytes = _plain_files(folder)
        data = json.loads(_bytes(folder, "incident.json", LARGEST_BYTES).decode(errors="replace"))
    except OSError as error:
        raise _unreadable(directory, error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(directory, "incident.json is no JSON") from error
    finally:
        os.close(folder)
    if not isinstance(data, dict) or data.get("schema") != 1:
        raise _unreadable(directory, "it has another schema; a newer dstop may know it")
    return parse_incident(data, directory, present, size_bytes)


def read_file(incident: Incident, role: str, most_bytes: int) -> bytes | None:
    """Read one of an incident's other files by its role: snapshot, summary, stacks, output; None when it has none.

    Raises:
        DstopError: when it cannot be read, or is larger than `most_bytes`.
    """
    name = incident.files.get(role)
    if name is None:
        return None
    try:
        folder = os.open(incident.directory, os.O_DIRECTORY | os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            return _bytes(folder, name, most_bytes)
        finally:
            os.close(folder)
    except OSError as error:
        raise _unreadable(incident.directory, error.strerror or str(error)) from error


def _unreadable(directory: Path, why: str) -> DstopError:
    return DstopError(f"cannot read the incident {directory}: {why}", fix="check whose it is")


def _plain_files(folder: int) -> tuple[frozenset[str], int]:
    """Give the names and the summed size of the plain files; links, pipes and directories are none."""
    names: set[str] = set()
    total = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if len(names) >= _MOST_FILES:
                break
            found = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(found.st_mode):
                names.add(entry.name)
                total += found.st_size
    return frozenset(names), total


def _bytes(folder: int, name: str, most_bytes: int) -> bytes:
    descriptor = os.open(name, _PLAIN, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{name} is no plain file")
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise OSError(f"{name} is larger than {most_bytes} bytes")
    return data

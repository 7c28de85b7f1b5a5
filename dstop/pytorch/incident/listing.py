"""The incidents of a directory, and keeping them few.

Both the hook and `dstop run` write there, from many processes at once, so an entry may vanish at any moment.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.errors import DstopError
from dstop.model.value import Value
from dstop.pytorch.incident.place import is_incident_name, is_unfinished_name
from dstop.pytorch.incident.read import read_incident

if TYPE_CHECKING:
    from pathlib import Path

    from dstop.pytorch.incident.values import Incident

MOST = 20
MOST_BYTES = 1 << 30
_MOST_LOOKED_AT = 1000
_ABANDONED_S = 3600.0
"""Nothing takes an hour to write: its writer died."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Entry(Value):
    """One incident's directory, not yet read."""

    path: Path
    size_bytes: int


def list_incidents(directory: Path, since_ns: int | None = None) -> tuple[Incident, ...]:
    """Read the incidents of a directory, oldest first; what cannot be read is left out.

    Args:
        directory: where they lie; it need not exist.
        since_ns: leave out those that were written before, by the directory's time of change.
    """
    found: list[Incident] = []
    for name in _names(directory)[-_MOST_LOOKED_AT:]:
        path = directory / name
        try:
            if since_ns is None or path.lstat().st_mtime_ns >= since_ns:
                found.append(read_incident(path))
        except (DstopError, OSError):
            continue
    return tuple(found)


def prune(directory: Path, most: int = MOST, most_bytes: int = MOST_BYTES) -> tuple[str, ...]:
    """Remove the oldest incidents until few and small enough ones are left, and give the names of those removed.

    The newest always stays, and no older one outlives one that had to go. Only directories of our own that are named
    as incidents are touched; a link never is.
    """
    removed: list[str] = []
    kept_bytes = 0
    for position, entry in enumerate(reversed(_entries(directory))):
        kept_bytes += entry.size_bytes
        if position and (position >= most or kept_bytes > most_bytes):
            shutil.rmtree(entry.path, ignore_errors=True)
            removed.append(entry.path.name)
    for path in _abandoned(directory):
        shutil.rmtree(path, ignore_errors=True)
        removed.append(path.name)
    return tuple(removed)


def _names(directory: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(directory) if is_incident_name(name))  # noqa: PTH208 - names alone
    except OSError:
        return []


def _entries(directory: Path) -> list[Entry]:
    paths = [directory / name for name in _names(directory)]
    return [Entry(path=path, size_bytes=_size(path)) for path in paths if _is_ours(path)]


def _is_ours(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _size(path: Path) -> int:
    try:
        with os.scandir(path) as entries:
            return sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
    except OSError:
        return 0


def _abandoned(directory: Path) -> list[Path]:
    try:
        names = [name for name in os.listdir(directory) if is_unfinished_name(name)]  # noqa: PTH208 - names alone
    except OSError:
        return []
    old = time.time() - _ABANDONED_S
    found: list[Path] = []
    for path in (directory / name for name in names):
        try:
            if _is_ours(path) and path.lstat().st_mtime < old:
                found.append(path)
        except OSError:
            continue
    return found

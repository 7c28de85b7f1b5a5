"""The address space of a process as /proc/PID/maps tells it."""

from __future__ import annotations

from typing import NamedTuple

from dstop.errors import AttachError
from dstop.pytorch.memory import no_permission

_DELETED = " (deleted)"
_FIELDS_WITH_PATH = 6


class Mapping(NamedTuple):
    """One line of /proc/PID/maps."""

    start: int
    end: int
    permissions: str
    offset: int
    path: str


def mappings(pid: int) -> tuple[Mapping, ...]:
    """Read all mappings of `pid`, in the order of their addresses."""
    try:
        # Paths are bytes that may be anything: surrogates carry them through.
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123 - smaller
            return parse_maps(file.read())
    except (FileNotFoundError, ProcessLookupError):
        raise AttachError(f"no such process: {pid}", fix="take a pid from `dstop` or `nvidia-smi`") from None
    except PermissionError:
        raise no_permission(pid) from None


def parse_maps(text: str) -> tuple[Mapping, ...]:
    """Turn the text of /proc/PID/maps into mappings; lines that are not what proc(5) says are left out."""
    found = []
    for line in text.split("\n"):
        fields = line.split(None, 5)
        try:
            start, end = (int(part, 16) for part in fields[0].split("-"))
            offset = int(fields[2], 16)
        except (IndexError, ValueError):
            continue
        path = fields[5] if len(fields) == _FIELDS_WITH_PATH else ""
        found.append(Mapping(start, end, fields[1], offset, path.removesuffix(_DELETED)))
    return tuple(found)


def images_of(mapped: tuple[Mapping, ...]) -> dict[str, int]:
    """Give the first mapping of each file from its first byte on: path -> base."""
    found: dict[str, int] = {}
    for mapping in mapped:
        if mapping.path.startswith("/") and mapping.offset == 0:
            found.setdefault(mapping.path, mapping.start)
    return found

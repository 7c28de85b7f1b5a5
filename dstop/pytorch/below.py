"""The PyTorch processes below one that is none: below a launcher, a shell, a container's first process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dstop.errors import AttachError
from dstop.pytorch.target import maps_torch
from dstop.sources.procfs.stat import read_stat

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST = 16
"""More than a machine has cards."""
_MOST_LOOKED_AT = 256
"""Reading the map of a large process takes milliseconds."""


class NotTorchError(AttachError):
    """The process is no PyTorch process; one below it may be."""


def with_torch_below(error: NotTorchError, pid: int, root: str = "/proc") -> AttachError:
    """Give the refusal with what to attach to instead, where there is something."""
    pids = torch_below(pid, root)
    if not pids:
        return error
    those = f"process {pids[0]} below it uses" if len(pids) == 1 else f"{len(pids)} processes below it use"
    return AttachError(error.message, fix=f"{those} PyTorch: dstop attach {' '.join(map(str, pids))}")


def torch_below(pid: int, root: str = "/proc") -> tuple[int, ...]:
    """Give the descendants of a process that have PyTorch's libraries mapped, those nearest to it first."""
    found: list[int] = []
    for number, each in enumerate(_descendants(pid, root)):
        if number >= _MOST_LOOKED_AT or len(found) >= _MOST:
            break
        if maps_torch(each, root):
            found.append(each)
    return tuple(found)


def _descendants(pid: int, root: str) -> Iterator[int]:
    children: dict[int, list[int]] = {}
    for name in os.listdir(root):  # noqa: PTH208 - Path is an import too many
        stat = read_stat(int(name), root) if name.isascii() and name.isdigit() else None
        if (
            stat is not None and stat.state not in "ZXD"
        ):  # what hangs in the kernel may hang who reads its map
            children.setdefault(stat.ppid, []).append(stat.pid)
    wave, seen = [pid], {pid}
    while wave:
        wave = [child for parent in wave for child in sorted(children.get(parent, ())) if child not in seen]
        seen.update(wave)
        yield from wave

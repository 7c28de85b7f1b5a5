"""Who has a GPU device file open, as `fuser -v /dev/nvidia*` tells: who may hold memory of no listed process.

A look at every open file of the machine: only for when memory is unexplained, never at every refresh.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from dstop.model.unattributed import Holder
from dstop.sources.procfs.reading import as_count
from dstop.sources.procfs.stat import read_stat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.sources.procfs.stat import Stat

LONGEST_S = 0.3

_DEVICE = "/dev/nvidia"
_COMPUTES = frozenset({"-uvm", "-modeset"})
"""Device files that programs with memory on a card have open too: those of CUDA, those of a display."""

_MONITORS = (
    "nvidia-persiste",
    "nv-hostengine",
    "nvidia-smi",
    "nvidia-powerd",
    "dcgm",
    "nvtop",
    "nvitop",
    "dstop",
    "btop",
)
"""They keep a card open to ask for its figures, and hold no memory of it."""

_MOST_FILES = 1 << 16
_MOST_MINOR = 1 << 20


def device_holders(
    minor_to_index: Mapping[int, int], root: str = "/proc", *, longest_s: float = LONGEST_S
) -> tuple[tuple[Holder, ...], bool]:
    """Find the processes that have a card's device file open, our own apart, in the order of their PIDs.

    Args:
        minor_to_index: number of the device file (`/dev/nvidia3` is 3) to index of the GPU.
        root: where the process file system is.
        longest_s: seconds after which the search ends where it is.

    Returns:
        The holders, and whether every process could be looked at: False when one refused or time ran out.
    """
    deadline = time.monotonic() + longest_s
    sees_all = True
    holders: list[Holder] = []
    for pid in _pids(root):
        if time.monotonic() > deadline:
            return tuple(holders), False
        if pid == os.getpid():
            continue
        names, complete = _devices(pid, root, deadline)
        if names:
            holder = _holder(pid, names, minor_to_index, root)
            holders += [holder] if holder is not None else []
        sees_all = sees_all and complete
    return tuple(holders), sees_all


def _pids(root: str) -> list[int]:
    try:
        names = os.listdir(root)  # noqa: PTH208 - Path is an import too many
    except OSError:
        return []
    return sorted(pid for pid in map(as_count, names) if pid)


def _devices(pid: int, root: str, deadline: float) -> tuple[set[str], bool]:
    """Give what follows `/dev/nvidia` in a process' open files' names, and whether all could be seen."""
    try:
        names = _open_devices(f"{root}/{pid}/fd", deadline)
    except (FileNotFoundError, ProcessLookupError):
        return set(), True
    except OSError:
        return set(), False
    if names:
        return names, True
    stat = read_stat(pid, root)
    if stat is None or stat.state != "Z" or stat.threads < 2:  # noqa: PLR2004 - others live on
        return names, True
    return _of_threads(pid, root, deadline)


def _of_threads(pid: int, root: str, deadline: float) -> tuple[set[str], bool]:
    """Look at the threads of a process whose first has ended: stuck in the driver, they keep files open."""
    complete = True
    for thread in _pids(f"{root}/{pid}/task"):
        try:
            names = _open_devices(f"{root}/{pid}/task/{thread}/fd", deadline)
        except (FileNotFoundError, ProcessLookupError):
            continue
        except OSError:
            complete = False
            continue
        if names:
            return names, True
    return set(), complete


def _open_devices(folder: str, deadline: float) -> set[str]:
    names: set[str] = set()
    for number in os.listdir(folder)[:_MOST_FILES]:  # noqa: PTH208
        try:
            target = os.readlink(f"{folder}/{number}")  # noqa: PTH115
        except (FileNotFoundError, ProcessLookupError):
            continue
        if target.startswith(_DEVICE):
            names.add(target.removeprefix(_DEVICE).removesuffix(" (deleted)"))
        if time.monotonic() > deadline:
            raise TimeoutError
    return names


def _holder(pid: int, names: set[str], minor_to_index: Mapping[int, int], root: str) -> Holder | None:
    minors = {minor for minor in (as_count(name, _MOST_MINOR) for name in names) if minor is not None}
    computes = not _COMPUTES.isdisjoint(names)
    if not minors and "-uvm" not in names:
        return None
    stat = read_stat(pid, root)
    if stat is None or (not computes and stat.comm.startswith(_MONITORS)):
        return None
    return _named(stat, sorted(minor_to_index[minor] for minor in minors if minor in minor_to_index))


def _named(stat: Stat, indices: list[int]) -> Holder:
    """Name it by what the kernel knows of it: a command line may hang, and here it is likely to."""
    return Holder(
        pid=stat.pid, command=stat.comm.strip() or "?", state=stat.state, gpu_indices=tuple(indices)
    )

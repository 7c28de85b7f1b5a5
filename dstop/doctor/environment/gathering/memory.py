"""The host's memory and its limits."""

from __future__ import annotations

import os

from dstop.doctor.environment.facts import MemoryFacts
from dstop.doctor.environment.gathering.files import read_count, read_regular
from dstop.pytorch.run.cgroup import read_cgroup_memory, read_host_oom_kills
from dstop.sources.procfs.limits import memory_files, read_memory_limit
from dstop.sources.procfs.reading import as_count

_MOST_KIB = 2**53


def read_memory(root: str) -> MemoryFacts:
    """Read the memory of the machine below `root`."""
    base = root.rstrip("/")
    files = memory_files(root)
    limit = None if files is None else read_memory_limit(files)
    shm_bytes, shm_free_bytes, reason = _shm(f"{base}/dev/shm")  # noqa: S108 - it is looked at, not used
    return MemoryFacts(
        meminfo=_meminfo(read_regular(f"{base}/proc/meminfo") or ""),
        limit_bytes=None if limit is None else limit[0],
        limit_used_bytes=None if limit is None else limit[1],
        cgroup=read_cgroup_memory(root),
        host_kills=read_host_oom_kills(root),
        shm_bytes=shm_bytes,
        shm_free_bytes=shm_free_bytes,
        shm_reason=reason,
        overcommit=read_count(f"{base}/proc/sys/vm/overcommit_memory"),
        max_map_count=read_count(f"{base}/proc/sys/vm/max_map_count"),
    )


def _shm(path: str) -> tuple[int | None, int | None, str | None]:
    """Give size and free bytes of the file system, or the reason why there are none."""
    try:
        found = os.statvfs(path)
    except FileNotFoundError:
        return None, None, "there is no /dev/shm"
    except OSError as error:
        return None, None, f"/dev/shm: {error.strerror}"  # noqa: S108 - as above
    return found.f_frsize * found.f_blocks, found.f_frsize * found.f_bavail, None


def _meminfo(text: str) -> dict[str, int]:
    figures: dict[str, int] = {}
    for line in text.splitlines()[:200]:
        name, colon, rest = line.partition(":")
        words = rest.split()
        number = as_count(words[0], _MOST_KIB) if colon and words else None
        if number is not None:
            figures[name] = number * 1024
    return figures

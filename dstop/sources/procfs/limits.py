"""What a container may have of its machine: memory limit and CPU quota of our own cgroup, version 2 or 1."""

from __future__ import annotations

from typing import NamedTuple

from dstop.sources.procfs.reading import as_count, read_text

_MOST_BYTES = 2**62
"""Above it version 1 means no limit (it writes 2**63 less a page)."""


class MemoryFiles(NamedTuple):
    """Where the limit stands."""

    limit: str
    current: str
    stat: str
    cache: str
    """The line of `stat` that counts file cache which is given back when somebody needs it."""


class CpuFiles(NamedTuple):
    """Where the quota stands: one file with both numbers (version 2), or two."""

    quota: str
    period: str | None
    usage: str


def memory_files(root: str = "/") -> MemoryFiles | None:
    """Find the memory limit that binds us: the lowest from our own cgroup up to the top; None without any."""
    base = root.rstrip("/")
    found: list[tuple[int, MemoryFiles]] = []
    for folder in _folders(base, "", ("sys/fs/cgroup", "sys/fs/cgroup/unified")):
        files = MemoryFiles(
            f"{folder}/memory.max", f"{folder}/memory.current", f"{folder}/memory.stat", "inactive_file "
        )
        found += _limited(files)
    for folder in _folders(base, "memory", ("sys/fs/cgroup/memory",)):
        files = MemoryFiles(
            f"{folder}/memory.limit_in_bytes",
            f"{folder}/memory.usage_in_bytes",
            f"{folder}/memory.stat",
            "total_inactive_file ",
        )
        found += _limited(files)
    return min(found, key=lambda pair: pair[0])[1] if found else None


def cpu_files(root: str = "/") -> CpuFiles | None:
    """Find the CPU quota of our cgroup or of one above it, the lowest; None without any."""
    base = root.rstrip("/")
    found: list[tuple[float, CpuFiles]] = []
    for folder in _folders(base, "", ("sys/fs/cgroup", "sys/fs/cgroup/unified")):
        files = CpuFiles(f"{folder}/cpu.max", None, f"{folder}/cpu.stat")
        found += _quota(files)
    for folder in _folders(base, "cpu", ("sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct")):
        usage = f"{folder}/cpuacct.usage"
        if read_text(usage) is None:
            usage = folder.replace("/cgroup/cpu/", "/cgroup/cpuacct/", 1) + "/cpuacct.usage"
        files = CpuFiles(f"{folder}/cpu.cfs_quota_us", f"{folder}/cpu.cfs_period_us", usage)
        found += _quota(files)
    return min(found, key=lambda pair: pair[0])[1] if found else None


def read_memory_limit(files: MemoryFiles) -> tuple[int, int] | None:
    """Give (limit, used) in bytes, without file cache that is given back on demand; None without a limit."""
    limit, current = _count(files.limit), _count(files.current)
    if limit is None or current is None:
        return None
    stat = read_text(files.stat) or ""
    lines = (line for line in stat.splitlines() if line.startswith(files.cache))
    cache = as_count(next(lines, "").removeprefix(files.cache).strip(), _MOST_BYTES)
    return limit, max(0, current - (cache or 0))


def read_cpu_quota(files: CpuFiles) -> float | None:
    """Give the quota in cores: 1.5 is one and a half; None without one."""
    words = (read_text(files.quota) or "").split()
    if files.period is not None:
        words = [*words[:1], *(read_text(files.period) or "").split()[:1]]
    quota, period = (as_count(word, 2**53) for word in words) if len(words) == 2 else (None, None)  # noqa: PLR2004
    return quota / period if quota and period else None


def read_cpu_usage_s(files: CpuFiles) -> float | None:
    """Give the CPU seconds our cgroup has used so far."""
    text = read_text(files.usage) or ""
    if files.period is not None:
        nanoseconds = as_count(text.strip(), 2**63)
        return None if nanoseconds is None else nanoseconds / 1e9
    line = next((line for line in text.splitlines() if line.startswith("usage_usec ")), "")
    microseconds = as_count(line.removeprefix("usage_usec ").strip(), 2**63)
    return None if microseconds is None else microseconds / 1e6


def _limited(files: MemoryFiles) -> list[tuple[int, MemoryFiles]]:
    limit = _count(files.limit)
    return [] if limit is None or _count(files.current) is None else [(limit, files)]


def _quota(files: CpuFiles) -> list[tuple[float, CpuFiles]]:
    quota = read_cpu_quota(files)
    return [] if quota is None else [(quota, files)]


def _count(path: str) -> int | None:
    number = as_count((read_text(path, 64) or "").strip(), _MOST_BYTES)
    return number or None


def _folders(base: str, controller: str, mounts: tuple[str, ...]) -> list[str]:
    """Give the folders of our cgroup and of those above it, in each place where they may be mounted.

    Within a container the path in `/proc/self/cgroup` may be the host's and the mount ours: the top of
    the mount is tried as well.
    """
    text = read_text(f"{base}/proc/self/cgroup") or ""
    path = next((part[2] for part in _lines(text) if controller in part[1].split(",")), None)
    if path is None:
        return []
    parts = [part for part in path.split("/") if part and part != ".."]
    relative = ["/".join(parts[:length]) for length in range(len(parts), -1, -1)]
    return [f"{base}/{mount}/{tail}".rstrip("/") for mount in mounts for tail in relative]


def _lines(text: str) -> list[list[str]]:
    return [line.split(":", 2) for line in text.splitlines() if line.count(":") >= 2]  # noqa: PLR2004 - id:names:path

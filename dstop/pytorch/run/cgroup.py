"""What the control group tells of memory: how often its limit was met, and how often something was killed for it.

Sources: Linux, Documentation/admin-guide/cgroup-v2.rst (memory.events) and cgroup-v1/memory.rst.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dstop.model.value import Value
from dstop.sources.procfs.reading import as_count, read_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNLIMITED_BYTES = 2**62
"""Version 1 writes 2**63 less a page where there is no limit."""

_V2 = ("", ("sys/fs/cgroup", "sys/fs/cgroup/unified"))
_V1 = ("memory", ("sys/fs/cgroup/memory",))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CgroupMemory(Value):
    """The counters and sizes of one control group at one moment."""

    folder: str | None = None
    events: Mapping[str, int] = field(default_factory=dict)
    """`memory.events`; of version 1 `oom_kill` alone, and `max` for how often the limit was met."""
    max_bytes: int | None = None
    """None without a limit."""
    current_bytes: int | None = None
    peak_bytes: int | None = None
    unavailable: Mapping[str, str] = field(default_factory=dict)


def read_cgroup_memory(root: str = "/") -> CgroupMemory:
    """Read the counters of our own control group, which is that of everything we start."""
    base = root.rstrip("/")
    groups = read_text(f"{base}/proc/self/cgroup") or ""
    for folder in _folders(base, groups, *_V2):
        events = read_text(f"{folder}/memory.events")
        if events is not None:
            return _version_2(folder, events)
    for folder in _folders(base, groups, *_V1):
        control = read_text(f"{folder}/memory.oom_control")
        if control is not None:
            return _version_1(folder, control)
    reason = "no memory control group is visible here"
    return CgroupMemory(unavailable={"memory_events": reason, "memory_max_bytes": reason})


def events_between(before: CgroupMemory, after: CgroupMemory) -> dict[str, int]:
    """Give by how much each counter grew; {} when the two are not of the same group."""
    if before.folder is None or before.folder != after.folder:
        return {}
    return {name: value - before.events.get(name, 0) for name, value in after.events.items()}


def read_host_oom_kills(root: str = "/") -> int | None:
    """Read how many processes the kernel has killed for memory since the start of the host; None before Linux 4.13."""
    return _events(read_text(f"{root.rstrip('/')}/proc/vmstat") or "").get("oom_kill")


def _version_2(folder: str, events: str) -> CgroupMemory:
    limit = (read_text(f"{folder}/memory.max", 64) or "").strip()
    peak = _count(f"{folder}/memory.peak")
    unavailable = (
        {} if peak is not None else {"memory_peak_bytes": "the kernel has no memory.peak (Linux 5.19)"}
    )
    return CgroupMemory(
        folder=folder,
        events=_events(events),
        max_bytes=as_count(limit, _UNLIMITED_BYTES),
        current_bytes=_count(f"{folder}/memory.current"),
        peak_bytes=peak,
        unavailable=unavailable,
    )


def _version_1(folder: str, control: str) -> CgroupMemory:
    told = _events(control)
    events = {name: told[name] for name in ("oom_kill",) if name in told}
    met = _count(f"{folder}/memory.failcnt")
    if met is not None:
        events["max"] = met
    return CgroupMemory(
        folder=folder,
        events=events,
        max_bytes=_count(f"{folder}/memory.limit_in_bytes"),
        current_bytes=_count(f"{folder}/memory.usage_in_bytes"),
        peak_bytes=_count(f"{folder}/memory.max_usage_in_bytes"),
    )


def _events(text: str) -> dict[str, int]:
    pairs = (line.split() for line in text.splitlines())
    counted = {pair[0]: as_count(pair[1], 2**63) for pair in pairs if len(pair) == 2}  # noqa: PLR2004 - name, value
    return {name: value for name, value in counted.items() if value is not None}


def _count(path: str) -> int | None:
    return as_count((read_text(path, 64) or "").strip(), _UNLIMITED_BYTES)


def _folders(base: str, groups: str, controller: str, mounts: tuple[str, ...]) -> list[str]:
    """Give our group's folder and those above it, wherever it may be mounted; in a container the top is ours."""
    split = [line.split(":", 2) for line in groups.splitlines() if line.count(":") >= 2]  # noqa: PLR2004 - id:names:path
    path = next((part[2] for part in split if controller in part[1].split(",")), None)
    if path is None:
        return []
    parts = [part for part in path.split("/") if part and part != ".."]
    tails = ["/".join(parts[:length]) for length in range(len(parts), -1, -1)]
    return [f"{base}/{mount}/{tail}".rstrip("/") for mount in mounts for tail in tails]

"""The machine round the GPUs."""

from __future__ import annotations

from dataclasses import dataclass

from dstop.model.value import Value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Host(Value):
    """Figures of the host; within a container, its cgroup's memory limit takes the place of the machine's."""

    name: str
    cpu_count: int | None = None
    cpu_pct: float | None = None
    """All cores together: 100 is every core busy."""
    load_1: float | None = None
    memory_total_bytes: int | None = None
    memory_used_bytes: int | None = None
    """Total minus available: what programs cannot have."""
    swap_total_bytes: int | None = None
    swap_used_bytes: int | None = None
    uptime_s: float | None = None
    container: str | None = None
    """Set when dstop itself runs inside one (`docker`, `kubernetes`, `podman`, …)."""

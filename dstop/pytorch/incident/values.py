"""What an incident tells, as far as it does; every number and text was checked, none was believed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 - a field's type, which tests read
from typing import TYPE_CHECKING, Any

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

Frame = tuple[str, int, str]
"""File, line, function."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Request(Value):
    """The allocation that failed, as the allocator's observer was told."""

    device: int | None = None
    gpu_uuid: str | None = None
    segment_bytes: int | None = None
    """What was asked of the driver: the tensor's size rounded up to a segment."""
    total_bytes: int | None = None
    """The device's memory, or the limit that `set_per_process_memory_fraction` put on the process."""
    free_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class DeviceStats(Value):
    """One device as the process saw it."""

    index: int
    uuid: str | None = None
    stats: Mapping[str, Any] = field(default_factory=dict)
    """Nested, as `torch._C._cuda_memoryStats` gives them; whole numbers at the ends and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CardProcess(Value):
    """A process on the card at that moment, by NVML."""

    pid: int
    bytes: int | None = None
    command: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Card(Value):
    """The whole card at that moment, by NVML."""

    uuid: str | None = None
    total_bytes: int | None = None
    used_bytes: int | None = None
    reserved_bytes: int | None = None
    free_bytes: int | None = None
    processes: tuple[CardProcess, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ThreadStack(Value):
    """Where one thread was, innermost frame first or last as its writer had it."""

    id: int
    name: str | None = None
    current: bool = False
    """Whether it is the one that ran out of memory."""
    frames: tuple[Frame, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Exit(Value):
    """How a run ended, and what the system says of it."""

    code: int | None = None
    """Of the command itself; None when a signal ended it."""
    signal: int | None = None
    signal_name: str | None = None
    core_dumped: bool = False
    wall_s: float | None = None
    max_rss_bytes: int | None = None
    """Of the largest process among the command and those it waited for (wait4(2)); never less than dstop itself has."""
    user_s: float | None = None
    system_s: float | None = None
    memory_events: Mapping[str, int] = field(default_factory=dict)
    """By how much each counter of the cgroup's `memory.events` grew during the run: oom, oom_kill, high, max."""
    host_oom_kills: int | None = None
    """How many processes the kernel killed for want of memory on the whole host during the run."""
    memory_max_bytes: int | None = None
    """The cgroup's limit; None without one, or where it is unknown (`unavailable` tells)."""
    memory_current_bytes: int | None = None
    memory_peak_bytes: int | None = None
    kernel_lines: tuple[str, ...] = ()
    """What the kernel said meanwhile of killing for memory, and of GPU errors (NVRM: Xid)."""
    oom_incidents: tuple[str, ...] = ()
    """The directories of the incidents that processes of this run left, as they were called when it ended."""
    unavailable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Incident(Value):
    """One incident, without its snapshot: that one is read by whoever asks for it."""

    name: str
    directory: Path
    kind: str
    """`oom`: a process ran out of memory on a device; `exit`: a run ended badly."""
    at_ns: int | None = None
    bytes: int = 0
    """Of all its files."""
    host: str | None = None
    pid: int | None = None
    run: str | None = None
    """The id of the `dstop run` it belongs to."""
    run_name: str | None = None
    rank: int | None = None
    local_rank: int | None = None
    world_size: int | None = None
    cmdline: tuple[str, ...] = ()
    executable: str | None = None
    cwd: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    environment_names: tuple[str, ...] = ()
    thread: str | None = None
    """The name of the one that ran out of memory."""
    request: Request | None = None
    devices: tuple[DeviceStats, ...] = ()
    card: Card | None = None
    threads: tuple[ThreadStack, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    """Role -> file name within the directory: snapshot, summary, stacks, output; only those that are there."""
    history: bool | None = None
    backend: str | None = None
    allocator_conf: str | None = None
    took_ms: float | None = None
    exit: Exit | None = None
    unavailable: Mapping[str, str] = field(default_factory=dict)

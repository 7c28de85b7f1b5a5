"""What one refresh of any face needs: the sample, what went before, and what dstop itself costs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.model.allocator import AllocatorHistory
    from dstop.model.event import Event
    from dstop.model.finding import Finding
    from dstop.model.guest import Guest, ProcessId
    from dstop.model.process import ProcessKey
    from dstop.model.replay import Replay
    from dstop.model.sample import Sample


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class GpuHistory(Value):
    """The recent past of one GPU, oldest first, one value a step; None where nothing was known."""

    utilization_pct: tuple[float | None, ...] = ()
    memory_pct: tuple[float | None, ...] = ()
    power_pct: tuple[float | None, ...] = ()
    """Of the power limit."""
    temperature_c: tuple[float | None, ...] = ()
    energy_mj: int | None = None
    """Millijoules since dstop began to watch; None where the board has no counter."""
    steps: int = 0
    """How many values there have been since the start, also those that are no longer kept."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ProcessHistory(Value):
    """The recent past of one process on one GPU, oldest first, one value a reading."""

    gpu_memory_bytes: tuple[float | None, ...] = ()
    sm_pct: tuple[float | None, ...] = ()
    cpu_pct: tuple[float | None, ...] = ()
    rss_bytes: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class OwnCost(Value):
    """What dstop itself takes from the host."""

    cpu_pct: float
    """100 is one core."""
    rss_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Problem(Value):
    """Why there is no newer sample: shown over the last one, which is then old."""

    message: str
    fix: str | None
    since_ns: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Frame(Value):
    """One refresh. `sample` is the newest there is; with a `problem`, it is the last one that came."""

    sample: Sample
    step_s: float = 1.0
    """Seconds between two values of a history."""
    history: Mapping[int, GpuHistory] = field(default_factory=dict)
    watched: Mapping[ProcessKey, ProcessHistory] = field(default_factory=dict)
    """Histories of the processes that a screen asked for."""
    guests: Mapping[ProcessId, Guest] = field(default_factory=dict)
    """Processes that carry the hook; their rows have the allocator of their card too."""
    allocator_history: Mapping[ProcessId, Mapping[int, AllocatorHistory]] = field(default_factory=dict)
    """By device index, of the watched processes."""
    events: tuple[Event, ...] = ()
    """The recent ones, oldest first."""
    findings: tuple[Finding, ...] = ()
    """What the live rules have found, the worst first."""
    cost: OwnCost | None = None
    problem: Problem | None = None
    bells: int = 0
    """How often alerts have asked for the terminal's bell since the start."""
    replay: Replay | None = None
    """Where in a recording this is; None for what is so now."""

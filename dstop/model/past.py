"""The recorded past of cards and processes, at the resolution that was kept of it."""

from __future__ import annotations

from dataclasses import dataclass

from dstop.model.value import Value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PastPoint(Value):
    """One stretch of time. A figure that nothing was read of is None."""

    at_s: int
    """When it begins, in seconds since the epoch."""
    memory_bytes: float | None = None
    """The mean; `memory_most_bytes` is what a peak was, however short."""
    memory_most_bytes: int | None = None
    busy_pct: float | None = None
    power_mw: float | None = None
    temperature_most_c: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Past(Value):
    """One card, or one process on a card, over a time; oldest first. Where nothing was recorded there is no point."""

    step_s: int
    """Seconds from one point to the next, where nothing is missing."""
    points: tuple[PastPoint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PastCard(Value):
    """A card that was recorded."""

    uuid: str
    index: int
    """Where the driver had it when it was last seen."""
    name: str | None = None
    memory_total_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PastProcess(Value):
    """What one process held on one card over a time."""

    pid: int
    started_at_s: float | None = None
    command: str | None = None
    user: str | None = None
    job: str | None = None
    rank: int | None = None
    first_s: int = 0
    last_s: int = 0
    """When it was first and last seen within that time."""
    memory_most_bytes: int | None = None
    allocated_most_bytes: int | None = None
    reserved_most_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PastIncident(Value):
    """A black box that was found while recording; its directory may be gone by now."""

    path: str
    at_ns: int
    title: str
    pid: int | None = None

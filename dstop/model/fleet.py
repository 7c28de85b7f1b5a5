"""Many machines at one moment, as a Prometheus server knows them: what their exporters said last."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.model.finding import Severity

_RUNS = re.compile(r"[0-9]+|[^0-9]+")
_DIGITS = 20


def natural(text: str) -> tuple[str, ...]:
    """Give a key that has node-9 before node-10: runs of digits are made as long as the longest can be."""
    return tuple(
        word.lstrip("0").rjust(_DIGITS, "0") if word.isdecimal() else word for word in _RUNS.findall(text)
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class FleetGpu(Value):
    """One card of one host, or one MIG slice of it. What no exporter tells of it is None."""

    host: str
    gpu: str
    """The index that its exporter counts by; `?` where the series have no such label."""
    mig: str | None = None
    """The slice, where the figures are of one: DCGM's instance id, with its profile."""
    uuid: str | None = None
    name: str | None = None
    exporters: tuple[str, ...] = ()
    """Who told of it, the one that is believed first in front."""
    up: bool | None = None
    """False when its exporter says that the card does not answer."""
    memory_total_bytes: int | None = None
    memory_used_bytes: int | None = None
    memory_reserved_bytes: int | None = None
    memory_free_bytes: int | None = None
    memory_unattributed_bytes: int | None = None
    utilization_gpu_pct: float | None = None
    power_mw: int | None = None
    power_limit_mw: int | None = None
    temperature_c: int | None = None
    throttle_reasons: tuple[str, ...] | None = None
    """In the names of `dstop.model.gpu.THROTTLE_REASONS`; None where nobody tells."""
    ecc_uncorrected: int | None = None
    remapped_rows_pending: bool | None = None
    remapped_rows_failed: bool | None = None
    xid: int | None = None
    """The last one that was reported; 0 says that there was none since its exporter began to watch."""
    xid_at_s: float | None = None
    """When, in seconds since the epoch; only dstop's exporter tells."""

    @property
    def key(self) -> tuple[str, str, str | None]:
        """What it is known by."""
        return self.host, self.gpu, self.mig

    @property
    def usable_bytes(self) -> int | None:
        """What programs can have: used and free together, else the total without the driver's reserve."""
        if self.memory_used_bytes is not None and self.memory_free_bytes is not None:
            return self.memory_used_bytes + self.memory_free_bytes
        if self.memory_total_bytes is None:
            return None
        return self.memory_total_bytes - (self.memory_reserved_bytes or 0)

    @property
    def memory_pct(self) -> float | None:
        """Used share of what programs can have."""
        usable = self.usable_bytes
        if usable is None or usable <= 0 or self.memory_used_bytes is None:
            return None
        return 100 * self.memory_used_bytes / usable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class FleetProcess(Value):
    """One process on one card."""

    host: str
    gpu: str
    mig: str | None = None
    pid: str
    """As the label has it: `other` is all that had no series of their own, added up."""
    command: str | None = None
    user: str | None = None
    job: str | None = None
    rank: int | None = None
    gpu_memory_bytes: int | None = None
    sm_pct: float | None = None
    allocated_bytes: int | None = None
    """What PyTorch's tensors have; only of a process with dstop's hook."""
    reserved_bytes: int | None = None
    expected_bytes: int | None = None
    """What its model should make the driver count on this card."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class FleetFinding(Value):
    """Something that somebody should look at: what an exporter's rules found, or what the figures themselves say."""

    host: str
    severity: Severity
    says: str
    gpu: str | None = None
    pid: str | None = None
    rule: str | None = None
    """Of `dstop explain`; None where the fleet itself noticed it."""
    badge: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class FleetHost(Value):
    """One machine."""

    name: str
    instances: tuple[str, ...] = ()
    """The addresses that the server scrapes it at."""
    exporters: tuple[str, ...] = ()
    gone: bool = False
    """It told of cards within the last hour, and tells nothing now."""
    gone_gpus: tuple[str, ...] = ()
    """Cards of it that were told of within the last hour, and are not now, while others are."""
    up: bool | None = None
    """False when dstop's exporter runs there and its driver does not answer."""
    driver_version: str | None = None
    simulated: str | None = None
    """Set when no hardware is behind it, to the words that say so."""
    gpus: tuple[FleetGpu, ...] = ()
    processes: tuple[FleetProcess, ...] = ()

    @property
    def lists_processes(self) -> bool:
        """Whether an exporter is there that tells of processes."""
        return any(name in {"dstop", "nvitop"} for name in self.exporters)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Fleet(Value):
    """All of it, hosts by their names."""

    taken_at_ns: int
    server: str
    """The address of the Prometheus server."""
    hosts: tuple[FleetHost, ...] = ()
    findings: tuple[FleetFinding, ...] = ()
    """Those that exporters told; what the figures say is found by `dstop.view.fleet_findings`."""
    notices: tuple[str, ...] = ()
    """What is missing, and why: `processes: the server did not answer within 10 s`."""
    unavailable: Mapping[str, str] = field(default_factory=dict)
    """Parts that could not be had, with the reason: `processes`, `findings`, `gone`."""
    series: int = 0
    """How many were read."""

    @property
    def gpus(self) -> tuple[FleetGpu, ...]:
        """All cards of all hosts."""
        return tuple(gpu for host in self.hosts for gpu in host.gpus)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class FleetRank(Value):
    """One rank of a job: on one card, or on several that are added up."""

    rank: int | None
    hosts: tuple[str, ...]
    gpus: tuple[str, ...]
    pids: tuple[str, ...]
    gpu_memory_bytes: int | None = None
    allocated_bytes: int | None = None
    reserved_bytes: int | None = None
    sm_pct: float | None = None
    odd: str | None = None
    """What is not like its peers: `12.3G above the median of its peers`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class FleetJob(Value):
    """The ranks of one training or engine, over all hosts, in their order."""

    name: str
    command: str | None = None
    user: str | None = None
    ranks: tuple[FleetRank, ...] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        """Where it runs, each once."""
        return tuple(dict.fromkeys(host for rank in self.ranks for host in rank.hosts))

    @property
    def gpu_memory_bytes(self) -> int | None:
        """All of it together; None where no rank tells."""
        known = [rank.gpu_memory_bytes for rank in self.ranks if rank.gpu_memory_bytes is not None]
        return sum(known) if known else None

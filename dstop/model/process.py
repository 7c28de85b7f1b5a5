"""One process on one GPU: what the driver says of it, and what the host says of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from dstop.model.guest import ProcessId
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.model.allocator import Allocator
    from dstop.model.footprint import Expectation


class ProcessKey(NamedTuple):
    """What a row is known by. The start time is in it because the kernel gives a PID to the next comer."""

    gpu_index: int
    pid: int
    started_at_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ProcessFacts(Value):
    """What does not change while a process lives; read once per (pid, start time)."""

    pid: int
    started_at_s: float | None = None
    """Seconds since the epoch. None when the host cannot see the process."""
    ppid: int | None = None
    inner_pid: int | None = None
    """What its own container calls it, when it has a PID namespace of its own: the number in its logs."""
    uid: int | None = None
    user: str | None = None
    command: str | None = None
    """What to call it in a narrow column: `train.py`, `vllm serve`, `VLLM::EngineCore`."""
    cmdline: tuple[str, ...] = ()
    container: str | None = None
    """Container id (12 digits), pod or job name from the cgroup: `docker:3f2a…`, `pod:…`, `slurm:1234`."""
    rank: int | None = None
    local_rank: int | None = None
    world_size: int | None = None
    job: str | None = None
    """What the ranks of one job have in common: run id, Slurm job, or the launcher's PID."""
    framework: str | None = None
    model: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    """What plugins know of it."""
    unavailable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ProcessFigure(Value):
    """A figure that a process tells of itself, and a plugin has read: `kv_cache_pct`, `requests_running`."""

    name: str
    """With its unit at the end: `_pct`, `_bytes`, `_per_s`, `_total` (a counter); without one it is a count."""
    value: float | None = None
    why: str | None = None
    """Why there is no value."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class GpuProcess(Value):
    """One row: a process on one GPU. A process on eight GPUs is eight rows."""

    gpu_index: int
    pid: int
    gpu_uuid: str | None = None
    type: str = "C"
    """`C` compute, `G` graphics, `C+G` both, `M` under MPS."""
    gpu_memory_bytes: int | None = None
    sm_pct: float | None = None
    memory_pct: float | None = None
    """Share of time its kernels kept the memory busy."""
    encoder_pct: float | None = None
    decoder_pct: float | None = None
    gpu_instance_id: int | None = None
    compute_instance_id: int | None = None

    facts: ProcessFacts
    cpu_pct: float | None = None
    """100 is one core."""
    rss_bytes: int | None = None
    state: str | None = None
    """The kernel's letter: R, S, D, T, Z."""
    allocator: Allocator | None = None
    """What PyTorch's allocator holds on this card; only of a process that carries dstop's hook."""
    expectation: Expectation | None = None
    """What the model in it should hold on this card, beside what it does; None with a reason under `footprint`."""
    figures: tuple[ProcessFigure, ...] = ()
    """What it tells of itself, by plugins: of the process, whichever card the row is about."""
    unavailable: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> ProcessKey:
        """The identity of the row."""
        return ProcessKey(self.gpu_index, self.pid, self.facts.started_at_s)

    def figure(self, name: str) -> float | None:
        """Give a figure that it tells of itself; None where it tells none of that name."""
        return next((one.value for one in self.figures if one.name == name), None)

    @property
    def id(self) -> ProcessId:
        """The process, whatever card the row is about."""
        return ProcessId(self.pid, self.facts.started_at_s)

    @property
    def not_torch_bytes(self) -> int | None:
        """What the process holds on the card beside PyTorch's allocator: context, NCCL, libraries, other frameworks."""
        held = self.gpu_memory_bytes
        if held is None or self.allocator is None or self.allocator.reserved_bytes is None:
            return None
        rest = held - self.allocator.reserved_bytes
        return rest if rest >= 0 else None

"""A process that carries dstop's hook, and what it says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.model.allocator import Allocator


class ProcessId(NamedTuple):
    """One process for as long as the machine is up: the kernel gives a PID to the next comer."""

    pid: int
    started_at_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Guest(Value):
    """The newest answer of one hook."""

    pid: int
    """As dstop's own PID namespace numbers it."""
    started_at_s: float | None = None
    taken_at_ns: int = 0
    """When the figures were read, by the clock of the process."""
    stale_s: float | None = None
    """Set to the age of the figures when the newest request was not answered in time (a C call holds the GIL)."""
    hook_version: int | None = None
    how: str | None = None
    """How the hook came in: `run`, `import`, `pep768`, `ptrace`."""
    python_version: str | None = None
    torch_version: str | None = None
    """None while torch is not imported."""
    cuda_version: str | None = None
    """The CUDA that torch was built for."""
    cuda_initialized: bool = False
    backend: str | None = None
    """The allocator: `native`, `cudaMallocAsync`, `pluggable`."""
    allocator_conf: str | None = None
    """`PYTORCH_CUDA_ALLOC_CONF` or `PYTORCH_ALLOC_CONF`, as set in the environment."""
    rank: int | None = None
    local_rank: int | None = None
    world_size: int | None = None
    devices: tuple[Allocator, ...] = ()
    history: bool = False
    """Whether allocations are recorded with the places that made them."""
    black_box: bool = False
    """Whether an out-of-memory error would leave an incident behind."""
    incidents: int = 0
    """How many it has left since it started."""
    unavailable: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> ProcessId:
        """Whose guest it is."""
        return ProcessId(self.pid, self.started_at_s)

"""All that one reading of a machine says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.model.gpu import Gpu
    from dstop.model.host import Host
    from dstop.model.process import GpuProcess
    from dstop.model.unattributed import Unattributed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Sample(Value):
    """One moment of one machine. GPUs are in index order; processes in no particular one."""

    taken_at_ns: int
    host: Host
    driver_version: str | None = None
    cuda_version: str | None = None
    gpus: tuple[Gpu, ...] = ()
    processes: tuple[GpuProcess, ...] = ()
    unattributed: tuple[Unattributed, ...] = ()
    notices: tuple[str, ...] = ()
    """What the user should know of how this was read: `PIDs are of another namespace: …`."""
    simulated: str | None = None
    """Set when no hardware is behind it, to the words that say so on every face."""

"""PyTorch's caching allocator on one device, as the process itself tells it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Allocator(Value):
    """One device of one process. `allocated <= active <= reserved` and `requested <= active`, in bytes.

    What lies between: freed but in use by another stream (active); cached (free for this process alone); and above
    `reserved`, what the process holds that is not the allocator's (context, NCCL, libraries). Blocks that wait for
    another stream are still requested and no longer allocated, so `requested` may exceed `allocated`.
    Source of every figure: `torch.cuda.memory_stats`.
    """

    index: int
    """PyTorch's number of the device in this process; `CUDA_VISIBLE_DEVICES` decides which card that is."""
    gpu_uuid: str | None = None
    """The driver's name of the card, `GPU-…` or `MIG-…`: the only one that joins it to a sample."""
    requested_bytes: int | None = None
    """What tensors asked for (torch 2.0 on)."""
    allocated_bytes: int | None = None
    """What tensors have: their requests, rounded up to whole blocks."""
    active_bytes: int | None = None
    """Allocated, and freed blocks that another stream still uses."""
    reserved_bytes: int | None = None
    """What the allocator has from the driver."""
    inactive_split_bytes: int | None = None
    """Free parts of segments that are also in use: cannot be given back. Always 0 with expandable segments."""
    peak_allocated_bytes: int | None = None
    peak_reserved_bytes: int | None = None
    num_alloc_retries: int | None = None
    """How often the cache was flushed because the driver had nothing left: the earliest sign of an OOM."""
    num_ooms: int | None = None
    """Errors raised, also those that the program caught."""
    stats: Mapping[str, int] = field(default_factory=dict)
    """All that `memory_stats` says, flat: `allocated_bytes.all.peak`."""
    unavailable: Mapping[str, str] = field(default_factory=dict)

    @property
    def cached_bytes(self) -> int | None:
        """Reserved and not active: free memory that only this process can use."""
        if self.reserved_bytes is None or self.active_bytes is None:
            return None
        return max(0, self.reserved_bytes - self.active_bytes)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class AllocatorHistory(Value):
    """The recent past of one device of one process, oldest first, one value a step; None where none was had."""

    requested_bytes: tuple[float | None, ...] = ()
    allocated_bytes: tuple[float | None, ...] = ()
    active_bytes: tuple[float | None, ...] = ()
    reserved_bytes: tuple[float | None, ...] = ()
    num_alloc_retries: tuple[float | None, ...] = ()

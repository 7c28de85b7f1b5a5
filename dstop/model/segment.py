"""Where a process' allocator has its memory: segments of the driver's, cut into blocks; and which code asked for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

ACTIVE, PENDING, INACTIVE = "active_allocated", "active_pending_free", "inactive"
"""The states of a block: a tensor's; freed, but another stream still uses it; free."""


class Block(NamedTuple):
    """One piece of a segment; there may be a hundred thousand of them."""

    size_bytes: int
    requested_bytes: int | None
    """What the tensor asked for; None where torch does not say, or the block is free."""
    state: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Segment(Value):
    """What one `cudaMalloc` gave, or one range of mapped pages when it is expandable. Blocks are in address order."""

    device_index: int
    address: int
    total_bytes: int
    allocated_bytes: int
    active_bytes: int
    stream: int = 0
    """The stream's handle; 0 is the default stream. Free blocks serve no other stream."""
    small: bool = False
    """Of the pool for requests of 1 MiB and less."""
    pool: tuple[int, int] = (0, 0)
    """(0, 0) is everybody's; others belong to CUDA graphs or a MemPool, and nobody else may use what is free there."""
    expandable: bool = False
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SegmentMap(Value):
    """All segments of a process at one moment, by device and address."""

    taken_at_ns: int
    segments: tuple[Segment, ...] = ()
    left_out: int = 0
    """Segments beyond what a hook sends."""


class Place(NamedTuple):
    """One line of a Python stack."""

    file: str
    line: int
    function: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Site(Value):
    """One stack, and what the live blocks that it asked for come to."""

    device_index: int
    size_bytes: int
    blocks: int
    places: tuple[Place, ...]
    """Innermost first; empty for what was allocated before the recording began."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ModelFacts(Value):
    """What lives in the process: counted once, when somebody asks."""

    models: tuple[Mapping[str, object], ...] = ()
    """Outermost modules: class, parameters, trainable, parameter_bytes, gradient_bytes, buffer_bytes, dtypes,
    checkpointed (modules that are computed again in the backward pass)."""
    optimizers: tuple[Mapping[str, object], ...] = ()
    """Class, state_bytes, state_dtypes, defaults that are plain values."""
    config: Mapping[str, object] | None = None
    """A Hugging Face `config.json` where a model carries one."""
    unavailable: Mapping[str, str] = field(default_factory=dict)

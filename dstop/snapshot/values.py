"""A snapshot as it was read: segments at one moment, and the ring of events before it, one column a field.

Events come by the million, so they are arrays and not objects; whatever has names or structure is a plain frozen value.
Source of the fields: `torch/csrc/cuda/memory_snapshot.cpp` and the docstring of `torch.cuda.memory._snapshot`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from dstop.model.segment import Place

NO_STACK = 0
"""The number of the empty stack: recorded without frames, or not recorded."""
NO_TEXT = 0
"""The number of the empty text."""
SHARED_POOL = (0, 0)


class Action(IntEnum):
    """What an event of the ring says happened."""

    ALLOC = 0
    """A block was handed out; `size` is what was asked for, before rounding."""
    FREE_REQUESTED = 1
    """The tensor is gone; other streams may still use the block."""
    FREE_COMPLETED = 2
    """The block is free again."""
    SEGMENT_ALLOC = 3
    """`cudaMalloc`."""
    SEGMENT_FREE = 4
    """`cudaFree`."""
    SEGMENT_MAP = 5
    """Pages were mapped into an expandable segment."""
    SEGMENT_UNMAP = 6
    """Pages of an expandable segment were given back."""
    OOM = 7
    """An `OutOfMemoryError`; `address` holds what the driver said was free, `size` the request, rounded."""
    SNAPSHOT = 8
    """A snapshot was taken."""
    ANNOTATE = 9
    """A mark without memory (2.14)."""
    OTHER = 10
    """An action that nobody knew when this was written."""


ACTION_NAMES = {action.name.lower(): action for action in Action}


class Block(NamedTuple):
    """One piece of a segment."""

    address: int
    size_bytes: int
    requested_bytes: int | None
    """Before rounding; None where torch does not say (before 2.0). For a free block: of whoever had it last."""
    state: str
    """`active_allocated`, `active_pending_free` or `inactive`."""
    stack: int = NO_STACK
    """Who asked for it; of a free block, who did last."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Segment(Value):
    """What one `cudaMalloc` gave, or one contiguous mapped range when it is expandable. Blocks in address order."""

    device: int
    address: int
    total_bytes: int
    allocated_bytes: int
    active_bytes: int
    stream: int = 0
    small: bool = False
    pool: tuple[int, int] = SHARED_POOL
    expandable: bool = False
    stack: int = NO_STACK
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Trace(Value):
    """The ring of one device, oldest first: arrays of one length, one row an event."""

    device: int
    action: NDArray[np.int8]
    """Of `Action`."""
    address: NDArray[np.int64]
    """Of the block or segment, in bytes; of `OOM`, what the driver had free."""
    size: NDArray[np.int64]
    """In bytes, before rounding (`OOM`: after)."""
    stream: NDArray[np.int64]
    """The stream's handle; 0 is the default stream."""
    time_us: NDArray[np.int64]
    """Wall clock, microseconds since the epoch; 0 where torch does not say."""
    stack: NDArray[np.int32]
    """Into `Snapshot.stacks`."""
    pool: NDArray[np.int32]
    """Into `Snapshot.pools`; -1 before torch 2.12, which does not say."""
    compiled: NDArray[np.int32]
    """`compile_context`, into `Snapshot.texts`."""
    note: NDArray[np.int32]
    """`user_metadata`, into `Snapshot.texts`."""

    def __len__(self) -> int:
        return len(self.action)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Stacks(Value):
    """All distinct stacks of a snapshot; number 0 is the empty one.

    Stack i is the places `members[offsets[i]:offsets[i + 1]]`, innermost first.
    """

    places: tuple[Place, ...]
    offsets: NDArray[np.int64]
    """One more than there are stacks."""
    members: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, number: int) -> tuple[Place, ...]:
        """Give the places of a stack, innermost first."""
        first, last = int(self.offsets[number]), int(self.offsets[number + 1])
        return tuple(self.places[index] for index in self.members[first:last].tolist())


class Annotation(NamedTuple):
    """The begin or end of a range that the program marked with `record_function` (2.5)."""

    name: str
    start: bool
    device: int
    time_us: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Settings(Value):
    """How the allocator was configured; None where the snapshot does not say (before torch 2.3)."""

    conf: str | None = None
    """`PYTORCH_CUDA_ALLOC_CONF` as it was given."""
    max_split_bytes: int | None = None
    """None is no limit."""
    gc_threshold: float | None = None
    """0 is off."""
    expandable_segments: bool | None = None
    roundup_power2_divisions: Mapping[int, int] = field(default_factory=dict)
    """Interval in MiB (1, 2, 4 … 32768) -> divisions of it; only those that are set."""


class StorageName(NamedTuple):
    """What the guest says lives at an address: exact, where a category guessed from a stack is not."""

    device: int
    address: int
    size_bytes: int
    kind: str
    """`parameter`, `gradient`, `optimizer_state` or `buffer`."""
    name: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Snapshot(Value):
    """One snapshot, whatever wrote it: torch since 1.13, its C++ pickler, or dstop's own hook."""

    segments: tuple[Segment, ...]
    """By device and address."""
    traces: tuple[Trace, ...] = ()
    """One for each device that has events, by device."""
    stacks: Stacks
    texts: tuple[str, ...] = ("",)
    """Number 0 is the empty one."""
    pools: tuple[tuple[int, int], ...] = ()
    settings: Settings | None = None
    """None where the snapshot does not carry them."""
    annotations: tuple[Annotation, ...] = ()
    """By time."""
    names: tuple[StorageName, ...] = ()
    """Only in snapshots that dstop's hook took."""
    notes: tuple[str, ...] = ()
    """What was odd about the file and was let pass, in sentences."""

    @property
    def devices(self) -> tuple[int, ...]:
        """The numbers of all devices that have segments or events."""
        return tuple(sorted({each.device for each in self.segments} | {each.device for each in self.traces}))

    def segments_of(self, device: int) -> tuple[Segment, ...]:
        """Give the segments of one device, by address."""
        return tuple(each for each in self.segments if each.device == device)

    def trace_of(self, device: int) -> Trace | None:
        """Give the ring of one device; None where nothing was recorded."""
        return next((each for each in self.traces if each.device == device), None)

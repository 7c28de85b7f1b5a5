"""What a memory snapshot says, in plain values: what every face of it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.model.segment import Place

CATEGORIES = (
    "parameters",
    "gradients",
    "optimizer_state",
    "activations",
    "temporaries",
    "logits",
    "communication",
    "compiled",
    "input",
    "unknown",
)
"""What memory may be for, in the order every face lists it; `logits` has the loss, `parameters` the buffers too."""
UNKNOWN = CATEGORIES.index("unknown")
CONFIDENCES = ("possible", "likely", "exact")
"""`exact` alone comes from the process itself, which knows its tensors by address; the rest is read off stacks."""
PHASES = ("other", "load", "forward", "backward", "optimizer", "eval")
"""What the program did when it asked; `other` where its stack does not tell."""


class Share(NamedTuple):
    """What one category has at one moment."""

    category: str
    size_bytes: int
    blocks: int
    exact_bytes: int
    """Of it, what the process itself has named."""
    likely_bytes: int
    """Of it, what the stacks leave no other reading for; the rest is possible."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SiteUse(Value):
    """One stack, and what it holds at one moment."""

    size_bytes: int
    blocks: int
    category: str
    """Of most of its bytes."""
    confidence: str
    places: tuple[Place, ...] = ()
    """Innermost first; empty where nothing was recorded."""
    own: Place | None = None
    """The innermost line that is not a library's: where something can be done about it."""
    name: str = ""
    """The largest tensor of it by its name in the model, where the process told."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Moment(Value):
    """What is live after a number of events."""

    event: int
    """How many events had happened: 0 is before the first one of the ring."""
    time_us: int | None
    """Since the epoch; None where torch does not say."""
    live_bytes: int
    reserved_bytes: int
    static_bytes: int
    """Of what is live, what is older than the ring."""
    phase: str
    step: int | None
    """Which training step of the ring, from 0; None where no steps were recognised."""
    shares: tuple[Share, ...]
    """The categories that have anything, in their order."""
    sites: tuple[SiteUse, ...]
    """The largest first; no more than were asked for."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Curve(Value):
    """Bytes over the ring, cut into pieces of equally many events; of each piece its highest moment."""

    first: int
    last: int
    """Positions of the ring that it covers, as in `Moment.event`."""
    events: tuple[int, ...]
    """The position of each piece's highest moment."""
    time_us: tuple[int, ...]
    live_bytes: tuple[int, ...]
    reserved_bytes: tuple[int, ...]
    shares: tuple[tuple[int, ...], ...]
    """For each category of `CATEGORIES`, its bytes at each of these moments; they add up to `live_bytes`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Growth(Value):
    """A site whose live bytes rise from step to step and never fall: a leak, as far as the ring reaches."""

    site: SiteUse
    """What it holds at the end."""
    per_step_bytes: int
    """The median rise."""
    steps: int
    """In how many consecutive steps it rose."""
    held_bytes: tuple[int, ...]
    """What it held at the end of each step."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Pin(Value):
    """A block that keeps a mostly free segment from being given back."""

    segment_bytes: int
    free_bytes: int
    """Of its segment."""
    block_bytes: int
    """All blocks of this site in that segment."""
    site: SiteUse


class FreeRow(NamedTuple):
    """What one pool has on one stream; free blocks serve no other."""

    pool: tuple[int, int]
    stream: int
    small: bool
    reserved_bytes: int
    active_bytes: int
    free_bytes: int
    largest_hole_bytes: int
    whole_segments_bytes: int
    """In segments that are free altogether: `empty_cache()` gives these back."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Fragmentation(Value):
    """The free memory of an allocator at the moment of the snapshot, and what it is good for."""

    reserved_bytes: int
    active_bytes: int
    free_bytes: int
    reclaimable_bytes: int
    """What `empty_cache()`, and so every failing request, gives back to the driver: whole free segments or pages."""
    split_bytes: int
    """Free, but in segments that are also in use: good for smaller requests alone."""
    largest_hole_bytes: int
    """The largest free block that an ordinary request on the failed request's stream may have."""
    rows: tuple[FreeRow, ...]
    pins: tuple[Pin, ...]
    """By the free bytes of their segments, the most first."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Failure(Value):
    """An `OutOfMemoryError` in the ring."""

    event: int
    time_us: int | None
    request_bytes: int
    device_free_bytes: int
    """What the driver had free."""
    live_bytes: int
    reserved_bytes: int
    stream: int
    places: tuple[Place, ...] = ()
    own: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Fidelity(Value):
    """How well the replay of the recorded requests gives the recorded segments: what its verdicts are worth."""

    requests: int
    segment_events: int
    worst_error: float
    """Of the reserved bytes at a segment event, as a fraction of the recorded (0.01 is one percent)."""
    mean_error: float
    why_not: str = ""
    """Why nothing could be replayed; empty where it could."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Verdict(Value):
    """Whether the recorded requests would have fitted under another condition."""

    what: str
    """In words: `expandable segments`, `batch 8 instead of 12`."""
    setting: str
    """What to paste: `PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True`; empty where there is no such line."""
    fits: bool | None
    """None where the capacity is unknown."""
    capacity_bytes: int | None
    """What this process may reserve at most, as far as the snapshot shows."""
    peak_reserved_bytes: int
    peak_live_bytes: int
    short_bytes: int
    """How much is missing at the first request that does not fit; 0 where all do."""
    headroom_bytes: int | None
    """Capacity less the highest need; None where the capacity is unknown, negative where it does not fit."""
    error_bytes: int | None
    """By how much the replay may be off, from its fidelity on the recorded run; None where there is no such figure.

    That is where no segment was taken or given back while the program was recorded.
    """
    until: str
    """How far the recording reaches: all recorded steps, or the failed request, after which nothing was seen."""
    assumptions: tuple[str, ...] = ()

"""What readers find: signs, failed allocations and tracebacks, each with its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

Figure: TypeAlias = int | float | str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Place(Value):
    """Where something was found."""

    source: str
    line: int | None = None
    order: int = 0
    """Position among everything that was read: what comes first has happened first, as far as can be told."""
    at: str | None = None
    """The time of the line as it is written, in a form that sorts; None where the line has none."""

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Sign(Value):
    """A message that is known: its kind, and the figures in it."""

    kind: str
    """`vllm.no_kv_blocks`, `nccl.watchdog`: the table it was found with, and its name there."""
    place: Place
    rank: int | None = None
    text: str = ""
    values: Mapping[str, Figure] = field(default_factory=dict)

    def number(self, name: str) -> int | None:
        """Give a whole number of the message; None where it has none of that name."""
        value = self.values.get(name)
        return int(value) if isinstance(value, int | float) else None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class AllocationFailure(Value):
    """An allocation that was refused. Bytes; None where the message does not say."""

    family: str
    """Who refused: torch, cuda, mps, ggml, xla, tensorflow, cpu, pinned, …"""
    place: Place
    rank: int | None = None
    text: str = ""
    device: int | None = None
    tried_bytes: int | None = None
    total_bytes: int | None = None
    free_bytes: int | None = None
    allowed_bytes: int | None = None
    """A limit below the card's memory that the process was given."""
    allocated_bytes: int | None = None
    """Live tensors, those in private pools included."""
    private_pool_bytes: int | None = None
    reserved_bytes: int | None = None
    """Live and cached."""
    reserved_unallocated_bytes: int | None = None
    active_bytes: int | None = None
    """Live, and freed but still awaited by another stream; a black box alone tells it."""
    requested_bytes: int | None = None
    """What live tensors asked for, before rounding; a black box alone tells it."""
    process_bytes: int | None = None
    """All that this process holds on the card, outside PyTorch too."""
    others: tuple[tuple[int, int], ...] = ()
    """(pid, bytes) of other processes that the message names."""
    rounding_bytes: int = 0
    """How far sums of the figures may be off, by the digits that the message prints."""
    is_expandable: bool | None = None
    """Whether expandable segments were on, where the message tells."""
    is_absurd: bool = False
    """The request is beyond any memory (`more than 1EB`)."""
    is_spilling: bool = False
    """More is allocated than the card has: Windows pages to system memory."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class StackFrame(Value):
    """One line of a traceback."""

    file: str
    line: int
    function: str
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Trace(Value):
    """A Python traceback: outermost frame first, and what was raised."""

    place: Place
    """Of the line that names the error, or of the last frame where none does."""
    rank: int | None = None
    frames: tuple[StackFrame, ...] = ()
    error: str | None = None
    """The exception's name without its module."""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Setting(Value):
    """Something that the job was told: batch size, sequence length, utilization."""

    name: str
    value: Figure
    place: Place

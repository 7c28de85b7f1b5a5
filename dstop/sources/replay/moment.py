"""What is kept of one step of a monitor. Histories and findings are not: they are made again from this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.event import EventKind
from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.model.event import Event
    from dstop.model.frame import Problem
    from dstop.model.guest import Guest
    from dstop.model.sample import Sample

OF_WEIGHT = frozenset(
    {
        EventKind.GPU_LOST,
        EventKind.XID,
        EventKind.ECC,
        EventKind.DRIVER_GONE,
        EventKind.OUT_OF_MEMORY,
        EventKind.BLACK_BOX,
        EventKind.FINDING_STARTED,
    }
)
"""What somebody who looks for trouble in a recording wants to be taken to."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Moment(Value):
    """One step: what was read, what the hooks answered, what happened."""

    at_ns: int
    """Its place in the recording; never falls, also where the wall clock was set back."""
    sample: Sample
    """As every face showed it, with allocators and what models should hold. With a `problem`, the last there was."""
    guests: tuple[Guest, ...] = ()
    events: tuple[Event, ...] = ()
    """Those that were new at this step."""
    problem: Problem | None = None
    begins: bool = False
    """Whether a monitor began here, which knew nothing of what was before."""

    @property
    def has_weight(self) -> bool:
        """Whether something happened that one wants to be taken to."""
        return any(event.kind in OF_WEIGHT for event in self.events)

"""What a memory snapshot tells of a failure: plain figures, counted once when it was read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.doctor.evidence.facts import Place
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.model.segment import Place as Line
    from dstop.model.study import Failure, Fragmentation, Growth, Moment, SiteUse, Verdict


def _not_replayed(_change: str) -> Verdict | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Kept(Value):
    """Live memory that some phase has left behind, and the site that has most of it. Bytes."""

    size_bytes: int = 0
    site: SiteUse | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Blocks(Value):
    """The blocks of the snapshot's own moment, counted by what they are. Bytes."""

    allocated_bytes: int = 0
    """Live, as they were given out."""
    requested_bytes: int | None = None
    """Live, as they were asked for; None where torch does not say."""
    pending_bytes: int = 0
    """Freed, and still awaited by another stream."""
    private_pools: int = 0
    private_reserved_bytes: int = 0
    private_allocated_bytes: int = 0
    workspaces: int = 0
    """Live blocks that cuBLAS keeps to work in."""
    workspace_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Memory(Value):
    """One device of a snapshot, at the failure where it has one, else at its end."""

    source: str
    """The file: `snapshot.pickle.gz`."""
    order: int = 0
    device: int
    events: int
    """How many the ring has; 0 where nothing was recorded."""
    failure: Failure | None = None
    """The last refused allocation of the ring."""
    is_of_failure: bool = False
    """The segments lie as they did when the allocation failed, as in a black box."""
    is_expandable: bool | None = None
    """Whether expandable segments were on; None where the snapshot does not say."""
    moment: Moment
    """At the failure; without one, at the end."""
    fragmentation: Fragmentation
    growth: tuple[Growth, ...] = ()
    steps: int = 0
    """Complete training steps in the ring."""
    whole_peak_bytes: int = 0
    """The most that was live in a complete step; 0 without one. A failed step needed more than was recorded."""
    blocks: Blocks
    old_gradients: Kept
    """Gradients that an earlier step has left, live in this one's forward pass."""
    evaluated: Kept
    """What evaluation has made and holds."""
    updating: Kept
    """Temporaries of the optimizer's step that is running."""
    logits: Kept
    replay: Callable[[str], Verdict | None] = _not_replayed
    """Whether the recorded requests fit under a change: `expandable`, `batch=x0.5`; None where it cannot be told."""

    @property
    def event(self) -> int:
        """Give the position that the figures are of."""
        return self.events if self.failure is None else self.failure.event

    @property
    def place(self) -> Place:
        """Give where the figures were found: `snapshot.pickle.gz:cuda:0:event 1234`."""
        at = f":event {self.event}" if self.events else ""
        return Place(source=f"{self.source}:cuda:{self.device}{at}", order=self.order)

    @property
    def live_bytes(self) -> int:
        """Give what was live."""
        return self.moment.live_bytes

    def share(self, *categories: str) -> int:
        """Give the live bytes of categories of `dstop.model.study.CATEGORIES`."""
        return sum(each.size_bytes for each in self.moment.shares if each.category in categories)


def line_text(place: Line | None) -> str:
    """Write a line of code: `train.py:31 in forward`; what has no name is said to have none."""
    if place is None:
        return "code that was not recorded"
    file = place.file.replace("\\", "/").rpartition("/")[2]
    return f"{file}:{place.line} in {place.function}"

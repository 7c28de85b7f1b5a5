"""What is known of one GPU after a pass, in one frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.model.gpu import Gpu
    from dstop.sources.nvml.processes import Listed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Reading(Value):
    """What a card last published; frozen, so that another thread may take it at any moment."""

    gpu: Gpu
    at_s: float
    """Monotonic seconds at which its fast figures were asked for."""
    listed: tuple[Listed, ...] = ()
    """The same object for as long as no process changed."""
    lists_at_s: float | None = None
    used_at_lists: Gpu | None = None
    """The GPU as it was when the lists were read: what the sum over processes is to be held against."""
    lists_reason: str | None = None
    dropped: int = 0
    gone: int | None = None
    """The code with which the driver as a whole refused."""

"""Rules that watch a running machine, by the numbers of their pages; a module is loaded when it can first have its say.

The monitor loads these and never a crash rule: how soon `dstop` starts is a feature.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.doctor.live.scene import Scene
    from dstop.model.finding import Finding

    Look = Callable[[Scene], list[Finding]]


class Watch(NamedTuple):
    """When a rule is asked, and when its findings are told."""

    rule: str
    module: str
    function: str = "watch"
    after_s: float = 0.0
    """How long a finding must have been there before it is told; 0 tells of it at once, in `dstop --once` too."""
    stays_s: float = 10.0
    """How long it stays after it was last seen: what comes and goes within is one finding."""
    every_s: float = 0.0
    """How often it is asked; 0 is every step."""
    logged: bool = True
    """Whether its beginning and end are events; not where the event log tells of the same thing already."""


WATCHES = (
    Watch("DS201", "fragmented", after_s=30, stays_s=30, every_s=5),
    Watch("DS250", "full_card", stays_s=5),
    Watch("DS251", "cache_flushes", after_s=1, stays_s=60, every_s=5, logged=False),
    Watch("DS252", "caught_oom", after_s=1, stays_s=60, every_s=2, logged=False),
    Watch("DS301", "leak", after_s=10, stays_s=20, every_s=5),
    Watch("DS401", "unattributed", stays_s=10),
    Watch("DS450", "idle_contexts", after_s=60, stays_s=60, every_s=30),
    Watch("DS451", "unused_gpu", after_s=1, stays_s=10, every_s=10),
    Watch("DS650", "heavy_rank", after_s=20, stays_s=20, every_s=5),
    Watch("DS651", "idle_rank", after_s=30, stays_s=15, every_s=5),
    Watch("DS652", "nccl_wait", after_s=5, stays_s=5, every_s=2),
    Watch("DS750", "host_memory", stays_s=15),
    Watch("DS850", "throttled", after_s=60, stays_s=15, every_s=5, logged=False),
    Watch("DS851", "hardware", "watch_memory", stays_s=0, logged=False),
    Watch("DS852", "hardware", "watch_xids", stays_s=0, logged=False),
    Watch("DS853", "hardware", "watch_reach", stays_s=0, logged=False),
)
"""How long each takes and stays is chosen so that what a batch, a checkpoint or a flush does is not told."""


def load(watch: Watch) -> Look:
    """Give the function of a rule."""
    return cast("Look", getattr(import_module(f"dstop.doctor.live.{watch.module}"), watch.function))

"""PyTorch empties its cache because the driver has nothing left

What it means
    A request did not fit, so the allocator gave all unused segments back and asked again. The work goes on, slower: this is the
    last thing that happens before an out-of-memory error.

Evidence
    `num_alloc_retries` of `torch.cuda.memory_stats` rises. Only a process that carries the hook tells it.

Fix
    As for a card that is too small for the step: a smaller micro batch, checkpointing; `expandable_segments:True` where the
    cache is fragmented.

When it is wrong
    One flush when shapes change for good (the first evaluation, a longer sequence) may be the last one.
"""

from __future__ import annotations

from dstop.doctor.live.cache_flushes import watch
from dstop.doctor.rule import Rule

RULE = Rule(
    id="DS251",
    name="cache-flushes",
    cause="cache_flushes",
    title="PyTorch empties its cache because the driver has nothing left",
    page=__doc__ or "",
    watch=watch,
)

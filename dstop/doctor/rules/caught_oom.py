"""A process ran out of memory and goes on

What it means
    The program caught the error: a batch was skipped, a request refused, a size tried and halved.

Evidence
    `num_ooms` of `torch.cuda.memory_stats` has risen in the last minutes while the process lives. Only a process that carries
    the hook tells it.

Fix
    A smaller batch, or buckets of like lengths. Recover outside the `except` block: the exception keeps the frames' tensors.

When it is wrong
    Batch-size finders and serving engines probe for the limit on purpose, once, at the start.
"""

from __future__ import annotations

from dstop.doctor.live.caught_oom import watch
from dstop.doctor.rule import Rule

RULE = Rule(
    id="DS252",
    name="caught-oom",
    cause="caught_oom",
    title="A process ran out of memory and goes on",
    page=__doc__ or "",
    watch=watch,
)

"""Host memory is nearly used up

What it means
    When it is gone, the kernel kills: a data loader's worker, or the training itself, with no more than SIGKILL to see.

Evidence
    95 % or more of the machine's memory, or of the control group's limit where dstop runs in one, is in use; memory that the
    kernel can take back does not count as used.

Fix
    Fewer data-loader workers, a larger limit, no copy of the checkpoint or the data set per rank.

When it is wrong
    Swap may carry it for a while, slowly.
"""

from __future__ import annotations

from dstop.doctor.live.host_memory import watch
from dstop.doctor.rule import Rule

RULE = Rule(
    id="DS750",
    name="full-host",
    cause="host_ram_oom",
    title="Host memory is nearly used up",
    page=__doc__ or "",
    watch=watch,
)

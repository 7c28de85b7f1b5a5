"""One rank is idle while its peers are busy

What it means
    The others compute, or spin in a collective and wait for this one: it loads data, writes, debugs, or is stuck.

Evidence
    At most 5 % SM for half a minute on one rank while the median of its job is 50 % or more.

Fix
    Look at its stack: `py-spy dump --pid PID`, or `e` and the process screen here.

When it is wrong
    Rank 0 often writes and evaluates alone; then it is over after a while.
"""

from __future__ import annotations

from dstop.doctor.live.idle_rank import watch
from dstop.doctor.rule import Rule

RULE = Rule(
    id="DS651",
    name="idle-rank",
    cause="idle_rank",
    title="One rank is idle while its peers are busy",
    page=__doc__ or "",
    watch=watch,
)

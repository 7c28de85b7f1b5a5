"""Ranks are busy at idle power: they wait in NCCL

What it means
    A collective spins while it waits: 100 % utilisation and next to no power. Somebody does not come: a rank that died, hangs,
    or took another branch. After the timeout (ten minutes by default) the job ends.

Evidence
    Three quarters of a job's ranks here at 95 % utilisation or more and at most 35 % of the power limit.

Fix
    Look at the stack of the rank that is waited for; run again with `NCCL_DEBUG=INFO` and the flight recorder on.

When it is wrong
    A kernel that is bound by latency can look the same; a checkpoint of rank 0 is waited for in the same way, and ends.
"""

from __future__ import annotations

from dstop.doctor.live.nccl_wait import watch
from dstop.doctor.rule import Rule

RULE = Rule(
    id="DS652",
    name="waiting-ranks",
    cause="nccl_timeout",
    title="Ranks are busy at idle power: they wait in NCCL",
    page=__doc__ or "",
    watch=watch,
)

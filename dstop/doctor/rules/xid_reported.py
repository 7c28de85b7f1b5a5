"""The driver has reported an error of the card

What it means
    An Xid is the driver's number for what went wrong; some are the program's own fault (13, 31), some are the hardware's (48,
    63, 74, 79).

Evidence
    The driver's event, received while dstop was watching. `dstop doctor --environment` reads older ones from the kernel's log.

Fix
    As the number says: run the program under `compute-sanitizer` for 13 and 31; drain the node for 48, 74, 79, 95.

When it is wrong
    An Xid 43 or 45 follows a program that was killed.
"""

from __future__ import annotations

from dstop.doctor.live.hardware import watch_xids
from dstop.doctor.rule import Rule

RULE = Rule(
    id="DS852",
    name="xid-reported",
    cause="hardware_xid",
    title="The driver has reported an error of the card",
    page=__doc__ or "",
    watch=watch_xids,
)

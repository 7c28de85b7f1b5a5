"""A card is lost, or does not answer

What it means
    The driver's calls for this card do not come back, or say that it is lost. The others go on.

Evidence
    A fault from the driver, or figures that are three seconds old and older.

Fix
    Look at the kernel's log for Xid 79 (fallen off the bus); drain and reboot the node.

When it is wrong
    A reset that somebody asked for, or a driver that is busy with a core dump, ends by itself.
"""

from __future__ import annotations

from dstop.doctor.live.hardware import watch_reach
from dstop.doctor.rule import Rule

RULE = Rule(
    id="DS853",
    name="silent-card",
    cause="hardware_xid",
    title="A card is lost, or does not answer",
    page=__doc__ or "",
    watch=watch_reach,
)

"""The card's memory has errors

What it means
    ECC met an error that it could not correct, or a bad row waits for the next reset to be replaced, or could not be.

Evidence
    The driver's counters: uncorrectable errors since it was loaded, remapped rows pending or failed.

Fix
    Drain the node and reset the card; have it replaced where remapping failed.

When it is wrong
    A single old error that was contained is in the counter until the driver is loaded anew.
"""

from __future__ import annotations

from dstop.doctor.live.hardware import watch_memory
from dstop.doctor.rule import Rule

RULE = Rule(
    id="DS851",
    name="bad-rows",
    cause="hardware_xid",
    title="The card's memory has errors",
    page=__doc__ or "",
    watch=watch_memory,
)

"""A card's clocks have been held down for a minute or more

What it means
    Heat, the power supply or the hardware slows the card. In a synchronous job all ranks run at the pace of the slowest.

Evidence
    The driver names `hw_thermal`, `sw_thermal`, `hw_power_brake` or `hw_slowdown`. The power limit is left out: at its limit is
    where a card that works well is.

Fix
    Air, dust, fans, the power supply; compare with its neighbours in the same chassis.

When it is wrong
    Right after a load begins, a card may be slowed for some seconds.
"""

from __future__ import annotations

from dstop.doctor.live.throttled import watch
from dstop.doctor.rule import Rule

RULE = Rule(
    id="DS850",
    name="throttled-card",
    cause="throttled",
    title="A card's clocks have been held down for a minute or more",
    page=__doc__ or "",
    watch=watch,
)

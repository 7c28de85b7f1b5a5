"""A card is taken and not used

What it means
    A process holds memory of a card on which nothing has run for minutes: nobody else can have it, and it does nothing.

Evidence
    At most 1 % utilisation for four minutes or more, while 1 GiB or more is held.

Fix
    End the process, or hand the card back to the scheduler.

When it is wrong
    A checkpoint, a data set that loads, or a compilation can take that long on the host; a server may wait for requests.
"""

from __future__ import annotations

from dstop.doctor.live.unused_gpu import watch
from dstop.doctor.rule import Rule

RULE = Rule(
    id="DS451",
    name="unused-gpu",
    cause="unused_gpu",
    title="A card is taken and not used",
    page=__doc__ or "",
    watch=watch,
)

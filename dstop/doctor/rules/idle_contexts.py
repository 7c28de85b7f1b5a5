"""Several processes that compute nothing keep memory of one card

What it means
    Notebooks, debuggers and finished runs that did not end: each keeps at least a CUDA context, about half a gigabyte, and all
    that it cached.

Evidence
    Two or more processes of one card at 0 % SM over the last minute that hold 1 GiB or more together.

Fix
    End them, after a word with whose they are.

When it is wrong
    A service may wait for requests, and a debugger for its user.
"""

from __future__ import annotations

from dstop.doctor.live.idle_contexts import watch
from dstop.doctor.rule import Rule

RULE = Rule(
    id="DS450",
    name="idle-contexts",
    cause="other_process",
    title="Several processes that compute nothing keep memory of one card",
    page=__doc__ or "",
    watch=watch,
)

"""One injector at a time: two that use the same mailbox at once would wait for each other's thread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dstop.errors import AttachError

if TYPE_CHECKING:
    from dstop.pytorch.memory import TargetMemory

_NAP_S = 0.02


def become_only_injector(memory: TargetMemory, deadline: float) -> None:
    """Lock the target's memory file against other dstops, until it is closed; wait for the one that has it.

    Only who may trace the target can open that file, so nobody else can be in the way; and the kernel unlocks it when
    dstop ends, however it ends.
    """
    while not memory.lock():
        if time.monotonic() > deadline:
            raise AttachError(
                f"another dstop is attaching to process {memory.pid}", fix="try again in a moment"
            )
        time.sleep(_NAP_S)

"""Signals: the question before one is sent, and what became of it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from dstop.errors import DstopError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.model.process import GpuProcess
    from dstop.sources.hands import Hands

_NAMED = 2


def signal_question(name: str, processes: Sequence[GpuProcess]) -> str:
    """Write the question: what goes to whom."""
    named = ", ".join(f"{each.pid} {each.facts.command or '?'}" for each in processes[:_NAMED])
    more = f" and {len(processes) - _NAMED} more" if len(processes) > _NAMED else ""
    return f"send {name} to {named}{more}?  y: yes   n: no"


def send(hands: Hands, name: str, processes: Sequence[GpuProcess]) -> str:
    """Send a signal and say what was done; each process is checked again to be the one that was shown."""
    number = getattr(signal, name).value
    sent, refused = 0, ""
    for process in processes:
        try:
            hands.signal(process.pid, process.facts.started_at_s, number)
            sent += 1
        except DstopError as error:
            refused = str(error)
    return refused or f"{name} sent to {sent} process{'es' if sent != 1 else ''}"

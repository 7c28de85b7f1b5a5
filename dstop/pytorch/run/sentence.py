"""The one line after a bad end: how the command ended, and why, as far as the evidence goes and no further."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from dstop.model.xid import xid_meaning
from dstop.sources.procfs.reading import clean
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dstop.pytorch.incident.values import Exit, Incident

_XID = re.compile(r"NVRM: Xid \([^)]{1,80}\): (\d{1,4})\b")

_RECENT_NS = 900_000_000_000
"""An error this long before the end may still be its cause: NCCL's watchdog waits ten minutes for a rank that died."""


def ending_line(word: str, told: Exit, oom: Sequence[Incident], at_ns: int) -> str:
    """Say how the command ended: `python exited with 1 (out of memory on GPU 0, rank 3)`.

    Args:
        word: the command's first word.
        told: what is known of the end.
        oom: the incidents of the run, oldest first.
        at_ns: when the run ended.
    """
    name = clean(os.path.basename(word) or word)  # noqa: PTH119 - a command's word may be no path
    how = f"was killed by {told.signal_name}" if told.code is None else f"exited with {told.code}"
    why = _why(told, oom, at_ns)
    return f"{name} {how} ({why})" if why else f"{name} {how}"


def doctor_hint(directory: Path) -> str:
    """Give the command that explains an incident."""
    return f"dstop doctor {shlex.quote(str(directory))}"


def _why(told: Exit, oom: Sequence[Incident], at_ns: int) -> str | None:
    if oom:
        return _of_device(oom, at_ns)
    killed = told.memory_events.get("oom_kill", 0)
    if killed:
        return f"the kernel killed {_processes(killed)} of its control group{_limit(told)}"
    if told.host_oom_kills:
        return f"the kernel killed {_processes(told.host_oom_kills)} on this host for want of memory"
    found = next((found for line in told.kernel_lines if (found := _XID.search(line))), None)
    if found is not None:
        code = int(found[1])
        return f"meanwhile the driver reported Xid {code}: {xid_meaning(code)}"
    return None


def _limit(told: Exit) -> str:
    """Name the limit that was met; without an `oom` of the group it was the host's memory, or that of a group above."""
    is_own = told.memory_events.get("oom", 1) > 0
    if told.memory_max_bytes is None or not is_own:
        return " for want of memory"
    return f" at its memory limit of {bytes_text(told.memory_max_bytes)}"


def _of_device(oom: Sequence[Incident], at_ns: int) -> str:
    first = oom[0]
    parts = [f"out of memory on {_device(first)}"]
    if first.rank is not None:
        parts.append(f"rank {first.rank}")
    if len(oom) > 1:
        parts.append(f"and {len(oom) - 1} more")
    text = ", ".join(parts)
    is_old = first.at_ns is not None and at_ns - first.at_ns > _RECENT_NS
    return f"earlier: {text}" if is_old else text


def _device(incident: Incident) -> str:
    """Name the device: with CUDA_VISIBLE_DEVICES set, the process' number is not the card's."""
    index = None if incident.request is None else incident.request.device
    if index is None:
        return "a GPU"
    is_card = not incident.environment.get("CUDA_VISIBLE_DEVICES")
    return f"GPU {index}" if is_card else f"cuda:{index}"


def _processes(count: int) -> str:
    return "a process" if count == 1 else f"{count} processes"

"""DS401, live: memory of a card that no process of the list explains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.live.scene import usable_bytes
from dstop.units import GIB, bytes_text

if TYPE_CHECKING:
    from dstop.doctor.live.scene import Scene
    from dstop.model.finding import Finding
    from dstop.model.unattributed import Unattributed

LEAST_BYTES, MUCH = GIB, 0.1
"""Below the one it is bookkeeping; above the other's share of a card somebody misses it."""
_HOLDERS = "sudo fuser -v /dev/nvidia*"


def watch(scene: Scene) -> list[Finding]:
    """Look at what is used by nobody."""
    found: list[Finding] = []
    for lost in scene.sample.unattributed:
        gpu = scene.gpus.get(lost.gpu_index)
        total = None if gpu is None else usable_bytes(gpu)
        if total is None or lost.bytes < LEAST_BYTES or (gpu is not None and gpu.mig_enabled):
            continue
        found.append(_finding(lost, total))
    return found


def _finding(lost: Unattributed, total: int) -> Finding:
    from dstop.doctor.live.telling import of_gpu, remedies  # noqa: PLC0415 - most machines have nothing to tell
    from dstop.model.finding import Finding, Severity  # noqa: PLC0415 - as above

    return Finding(
        rule="DS401",
        cause="other_process",
        severity=Severity.WARNING if lost.bytes >= MUCH * total else Severity.NOTE,
        badge=f"WHO? {bytes_text(lost.bytes)}",
        says=f"{bytes_text(lost.bytes)} of GPU {lost.gpu_index} belongs to no listed process: {lost.cause}",
        gpu_index=lost.gpu_index,
        evidence=(of_gpu(lost.gpu_index, lost.cause, lost.bytes),),
        fixes=remedies("kill_other_process", "restart_node", commands={"kill_other_process": _HOLDERS}),
    )

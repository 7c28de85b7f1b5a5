"""DS450: several processes that do nothing keep memory of one card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.live.telling import of_gpu, of_process, remedies, who
from dstop.model.finding import Finding, Severity
from dstop.units import GIB, bytes_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.doctor.live.scene import Scene
    from dstop.model.process import GpuProcess

LEAST_PROCESSES, LEAST_BYTES = 2, GIB
"""A context takes about half a gigabyte by itself: two of them are worth a word."""
LEAST_READINGS = 60
MOST_LOOKED_AT = 8
"""Of a card, the biggest."""


def watch(scene: Scene) -> list[Finding]:
    """Look for cards on which several processes have computed nothing lately."""
    found: list[Finding] = []
    for index in scene.gpus:
        resting = [row for row in scene.on_gpu.get(index, ()) if row.sm_pct == 0 and row.gpu_memory_bytes]
        if len(resting) < LEAST_PROCESSES:
            continue
        resting.sort(key=lambda row: -(row.gpu_memory_bytes or 0))
        idle = [row for row in resting[:MOST_LOOKED_AT] if _is_idle(scene.sm_of(row.key))]
        held = sum(row.gpu_memory_bytes or 0 for row in idle)
        if len(idle) >= LEAST_PROCESSES and held >= LEAST_BYTES:
            found.append(_finding(index, idle, held))
    return found


def _is_idle(sm_pct: Sequence[float | None]) -> bool:
    known = [value for value in sm_pct[-LEAST_READINGS:] if value is not None]
    return len(known) >= LEAST_READINGS and not any(known)


def _finding(index: int, idle: Sequence[GpuProcess], held: int) -> Finding:
    pids = " ".join(str(row.pid) for row in idle)
    return Finding(
        rule="DS450",
        cause="other_process",
        severity=Severity.NOTE,
        badge=f"IDLE {bytes_text(held)}",
        says=f"{len(idle)} processes on GPU {index} hold {bytes_text(held)} and have computed nothing lately",
        gpu_index=index,
        evidence=(
            of_gpu(index, f"{bytes_text(held)} is held by processes at 0 % SM", held),
            *(
                of_process(row, f"{who(row)}: {bytes_text(row.gpu_memory_bytes)}", row.gpu_memory_bytes)
                for row in idle
            ),
        ),
        fixes=remedies("kill_other_process", commands={"kill_other_process": f"kill {pids}"}),
    )

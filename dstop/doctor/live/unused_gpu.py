"""DS451: a card is taken, and nobody has used it for a long time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.live.telling import of_gpu, of_process, remedies, who
from dstop.model.finding import Finding, Severity
from dstop.units import GIB, bytes_text, duration_text

if TYPE_CHECKING:
    from dstop.doctor.live.scene import Scene

LONG_S = 240.0
"""Longer than a checkpoint, a compilation or an evaluation on the host usually is."""
LEAST_READINGS = 20
IDLE_PCT = 1.0
LEAST_BYTES = GIB
"""A mere context keeps nobody away."""


def watch(scene: Scene) -> list[Finding]:
    """Look at the use of every card over all that is remembered."""
    found: list[Finding] = []
    for index, gpu in scene.gpus.items():
        past = scene.history.get(index)
        if past is None or gpu.utilization_gpu_pct is None or gpu.utilization_gpu_pct > IDLE_PCT:
            continue
        idle = 0
        for value in reversed(past.utilization_pct):
            if value is None or value > IDLE_PCT:
                break
            idle += 1
        idle_s = idle * scene.step_s
        rows = [row for row in scene.on_gpu.get(index, ()) if row.gpu_memory_bytes]
        held = sum(row.gpu_memory_bytes or 0 for row in rows)
        if idle < LEAST_READINGS or idle_s < LONG_S or held < LEAST_BYTES:
            continue
        idle_text = duration_text(idle_s)
        biggest = max(rows, key=lambda row: row.gpu_memory_bytes or 0)
        found.append(
            Finding(
                rule="DS451",
                cause="unused_gpu",
                severity=Severity.NOTE,
                badge="UNUSED",
                says=f"GPU {index} has been idle for {idle_text} while {bytes_text(held)} of it is held",
                gpu_index=index,
                evidence=(
                    of_gpu(index, f"at most {IDLE_PCT:.0f} % busy for {idle_text}", idle_s),
                    of_process(
                        biggest,
                        f"{who(biggest)} holds {bytes_text(biggest.gpu_memory_bytes)}",
                        biggest.gpu_memory_bytes,
                    ),
                ),
                fixes=remedies("kill_other_process", commands={"kill_other_process": f"kill {biggest.pid}"}),
            )
        )
    return found

"""DS651: one rank does nothing while its peers work, or wait for it."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from dstop.doctor.live.telling import of_process, remedies, who
from dstop.model.finding import Finding, Severity

if TYPE_CHECKING:
    from dstop.doctor.live.scene import Scene

LEAST_RANKS = 3
IDLE_PCT, BUSY_PCT = 5.0, 50.0
"""Far apart: a rank between two batches is not idle, one of a pipeline's bubble not busy."""


def watch(scene: Scene) -> list[Finding]:
    """Compare the ranks of every job."""
    found: list[Finding] = []
    for rows in scene.jobs.values():
        known = [(row, row.sm_pct) for row in rows if row.sm_pct is not None and row.gpu_index in scene.gpus]
        if len(known) < LEAST_RANKS:
            continue
        middle = median(sm for _, sm in known)
        idle = [(row, sm) for row, sm in known if sm <= IDLE_PCT]
        if middle < BUSY_PCT or not idle:
            continue
        row, sm = idle[0]
        also = f" (and {len(idle) - 1} more)" if len(idle) > 1 else ""
        found.append(
            Finding(
                rule="DS651",
                cause="idle_rank",
                severity=Severity.WARNING,
                badge="IDLE RANK",
                says=f"{who(row)}{also} is idle while the median of its {len(known)} ranks is {middle:.0f} % busy",
                gpu_index=row.gpu_index,
                pid=row.pid,
                started_at_s=row.facts.started_at_s,
                evidence=(
                    of_process(row, f"{sm:.0f} % SM", sm),
                    of_process(row, f"the median of {len(known)} ranks is {middle:.0f} %", middle),
                ),
                fixes=remedies("nccl_debug", commands={"nccl_debug": f"py-spy dump --pid {row.pid}"}),
            )
        )
    return found

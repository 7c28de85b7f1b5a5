"""DS652: ranks are fully busy at next to no power: they spin in NCCL and wait for one that does not come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.live.telling import of_gpu, remedies
from dstop.model.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.doctor.live.scene import Scene
    from dstop.model.gpu import Gpu
    from dstop.model.process import GpuProcess

BUSY_PCT = 95.0
COOL_SHARE = 0.35
"""Of the power limit: an H100 that computes takes more than twice that, one that spins in NCCL a quarter."""
LEAST_RANKS = 2
_MOST_NAMED = 8


def watch(scene: Scene) -> list[Finding]:
    """Look at the cards of every job's ranks."""
    found: list[Finding] = []
    for job, rows in scene.jobs.items():
        here = [(row, gpu) for row in rows if (gpu := scene.gpus.get(row.gpu_index)) is not None]
        waiting = [(row, gpu) for row, gpu in here if _spins(gpu)]
        # All but the few that are waited for: half a job that is cool is a pipeline with a bubble.
        if len(waiting) >= LEAST_RANKS and len(waiting) * 4 >= len(here) * 3:
            found.append(_finding(job, rows, waiting))
    return found


def _spins(gpu: Gpu) -> bool:
    if gpu.power_mw is None or not gpu.power_limit_mw or gpu.utilization_gpu_pct is None:
        return False
    return gpu.utilization_gpu_pct >= BUSY_PCT and gpu.power_mw <= COOL_SHARE * gpu.power_limit_mw


def _finding(job: str, rows: Sequence[GpuProcess], waiting: Sequence[tuple[GpuProcess, Gpu]]) -> Finding:
    row, gpu = waiting[0]
    share = 100 * (gpu.power_mw or 0) / (gpu.power_limit_mw or 1)
    absent = _absent(rows, [one for one, _ in waiting])
    says = f"{len(waiting)} ranks of {job[:40]} are busy at {share:.0f} % of their power: they wait in NCCL{absent}"
    return Finding(
        rule="DS652",
        cause="nccl_timeout",
        severity=Severity.CRITICAL,
        badge="NCCL WAIT",
        says=says,
        gpu_index=row.gpu_index,
        pid=row.pid,
        started_at_s=row.facts.started_at_s,
        evidence=tuple(
            of_gpu(
                each.index,
                f"{each.utilization_gpu_pct or 0:.0f} % busy at {(each.power_mw or 0) / 1000:.0f} W",
                each.power_mw,
            )
            for _, each in waiting[:_MOST_NAMED]
        ),
        fixes=remedies(
            "nccl_debug", "nccl_timeout_raise", commands={"nccl_debug": f"py-spy dump --pid {row.pid}"}
        ),
    )


def _absent(rows: Sequence[GpuProcess], waiting: Sequence[GpuProcess]) -> str:
    """Name the ranks that are waited for: those that are here and not waiting, or those that are not here."""
    spinning = {row.facts.rank for row in waiting}
    others = sorted({row.facts.rank for row in rows if row.facts.rank is not None} - spinning)
    world = max(row.facts.world_size or 0 for row in rows)
    if not others:
        others = sorted(set(range(world)) - spinning) if world <= 4 * len(rows) else []
    if not others:
        return ""
    named = ", ".join(map(str, others[:_MOST_NAMED]))
    return f" for rank{'s' if len(others) > 1 else ''} {named}{' …' if len(others) > _MOST_NAMED else ''}"

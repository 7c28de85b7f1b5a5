"""DS650: one rank of a job holds more than its peers, and will be the first that runs out."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from dstop.doctor.live.telling import of_process, remedies, who
from dstop.model.finding import Finding, Severity
from dstop.model.peers import due_bytes
from dstop.units import GIB, bytes_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.doctor.live.scene import Scene
    from dstop.model.process import GpuProcess

LEAST_RANKS = 3
"""Of two, nobody can say which is the odd one."""
MORE_SHARE, MORE_BYTES = 0.1, GIB
"""Ranks of a sharded job differ by some blocks; the one that will fail differs by more than both."""


def watch(scene: Scene) -> list[Finding]:
    """Compare the ranks of every job, each with what its own stage of the model takes more or less than its peers'."""
    found: list[Finding] = []
    for rows in scene.jobs.values():
        known = [row for row in rows if row.gpu_memory_bytes is not None and row.gpu_index in scene.gpus]
        if len(known) < LEAST_RANKS:
            continue
        due = due_bytes(known)
        held = {row.key: (row.gpu_memory_bytes or 0) - due[row.key] for row in known}
        middle = median(held.values())
        heaviest = max(known, key=lambda row: held[row.key])
        more = held[heaviest.key] - middle
        if more > MORE_BYTES and more > MORE_SHARE * middle:
            found.append(_finding(heaviest, known, middle, more))
    return found


def _finding(row: GpuProcess, peers: Sequence[GpuProcess], middle: float, more: float) -> Finding:
    held = bytes_text(row.gpu_memory_bytes)
    return Finding(
        rule="DS650",
        cause="rank_imbalance",
        severity=Severity.WARNING,
        badge=f"RANK +{bytes_text(more)}"[:10],
        says=f"{who(row)} holds {held}, {bytes_text(more)} more than the median of its {len(peers)} ranks",
        gpu_index=row.gpu_index,
        pid=row.pid,
        started_at_s=row.facts.started_at_s,
        evidence=(
            of_process(row, f"{held} on GPU {row.gpu_index}", row.gpu_memory_bytes),
            of_process(row, f"the median of {len(peers)} ranks is {bytes_text(middle)}", middle),
        ),
        fixes=remedies("bucket_sequence_lengths", "map_location_cpu", "one_gpu_per_rank", "reduce_batch"),
    )

"""DS251: PyTorch empties its cache and asks the driver again, because nothing was left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.live.telling import of_gpu, of_process, remedies, who
from dstop.model.finding import Finding, Severity
from dstop.units import bytes_text

if TYPE_CHECKING:
    from dstop.doctor.live.scene import Scene

OFTEN = 3
"""Flushes within the window: each stops the card, and the next request may be the one that fails."""


def watch(scene: Scene) -> list[Finding]:
    """Look at the counters of every process that tells them."""
    found: list[Finding] = []
    for row, device in scene.inside:
        if not device.num_alloc_retries:
            continue
        past = scene.allocator_of(row.id).get(device.index)
        known = [] if past is None else [value for value in past.num_alloc_retries if value is not None]
        more = int(known[-1] - known[0]) if known else 0
        if more <= 0:
            continue
        room = scene.room_of(row)
        found.append(
            Finding(
                rule="DS251",
                cause="cache_flushes",
                severity=Severity.CRITICAL if more >= OFTEN else Severity.WARNING,
                badge=f"FLUSH {more}x",
                says=f"{who(row)} emptied its cache {_times(more)} lately: GPU {row.gpu_index} had nothing left",
                gpu_index=row.gpu_index,
                pid=row.pid,
                started_at_s=row.facts.started_at_s,
                evidence=(
                    of_process(row, f"num_alloc_retries rose by {more} to {device.num_alloc_retries}", more),
                    of_gpu(row.gpu_index, f"{bytes_text(room)} is free now", room),
                ),
                fixes=remedies(
                    "reduce_batch", "grad_checkpointing", "expandable_segments", "bucket_sequence_lengths"
                ),
            )
        )
    return found


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"

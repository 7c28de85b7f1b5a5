"""DS252: a process ran out of memory, and lives on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.live.telling import of_process, remedies, who
from dstop.model.event import EventKind
from dstop.model.finding import Finding, Severity

if TYPE_CHECKING:
    from dstop.doctor.live.scene import Scene


def watch(scene: Scene) -> list[Finding]:
    """Look at the errors of the last minutes, of processes that are still there."""
    seen = {event.pid for event in scene.recent(EventKind.OUT_OF_MEMORY)}
    if not seen:
        return []
    found: list[Finding] = []
    for row, device in scene.inside:
        if row.pid not in seen or not device.num_ooms:
            continue
        seen.discard(row.pid)
        found.append(
            Finding(
                rule="DS252",
                cause="caught_oom",
                severity=Severity.CRITICAL,
                badge=f"OOM {min(device.num_ooms, 999)}x",
                says=f"{who(row)} has run out of memory {_times(device.num_ooms)} and goes on: what it skipped is lost",
                gpu_index=row.gpu_index,
                pid=row.pid,
                started_at_s=row.facts.started_at_s,
                evidence=(
                    of_process(
                        row, f"num_ooms is {device.num_ooms}, and rose in the last minutes", device.num_ooms
                    ),
                ),
                fixes=remedies(
                    "reduce_batch", "free_outside_except", "bucket_sequence_lengths", "grad_checkpointing"
                ),
            )
        )
    return found


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"

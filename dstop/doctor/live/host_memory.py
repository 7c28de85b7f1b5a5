"""DS750: the host's memory, or the control group's limit, is nearly used up: the kernel will kill somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.units import bytes_text

if TYPE_CHECKING:
    from dstop.doctor.live.scene import Scene
    from dstop.model.finding import Finding

NEARLY, ALMOST = 0.95, 0.98
"""Of what there is; used memory leaves out what the kernel can reclaim, so little is left above."""


def watch(scene: Scene) -> list[Finding]:
    """Look at the host, or at the limit that stands in its place."""
    host = scene.sample.host
    total, used = host.memory_total_bytes, host.memory_used_bytes
    if not total or used is None or used < NEARLY * total:
        return []
    from dstop.doctor.live.telling import remedies  # noqa: PLC0415 - most machines have nothing to tell
    from dstop.model.evidence import Evidence  # noqa: PLC0415 - as above
    from dstop.model.finding import Finding, Severity  # noqa: PLC0415 - as above

    where = "this container" if host.container is not None else host.name[:40]
    left = max(0, total - used)
    rows = {row.pid: row for row in scene.sample.processes if row.rss_bytes is not None}
    biggest = max(rows.values(), key=lambda row: row.rss_bytes or 0, default=None)
    evidence = [
        Evidence(source="host", says=f"{bytes_text(used)} of {bytes_text(total)} is in use", value=used)
    ]
    if biggest is not None:
        says = f"{biggest.facts.command or 'process'} ({biggest.pid}) has {bytes_text(biggest.rss_bytes)}"
        evidence.append(Evidence(source=f"process {biggest.pid}", says=says, value=biggest.rss_bytes))
    return [
        Finding(
            rule="DS750",
            cause="host_ram_oom",
            severity=Severity.CRITICAL if used >= ALMOST * total else Severity.WARNING,
            badge=f"RAM {100 * used / total:.0f}%",
            says=f"{where} has {bytes_text(left)} of {bytes_text(total)} host memory left; then the kernel kills",
            evidence=tuple(evidence),
            fixes=remedies(
                "reduce_num_workers", "raise_memory_limit", "map_location_cpu", "reduce_dataset_in_ram"
            ),
        )
    ]

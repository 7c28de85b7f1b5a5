"""The machine round the simulated cards: two 56-core Xeons and 2 TiB, as an HGX board comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.model.host import Host
from dstop.sources.demo.noise import wobble
from dstop.units import GIB, MIB

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dstop.model.process import GpuProcess

_CORES = 224
_MEMORY_BYTES, _REST_BYTES = 2015 * GIB, 41 * GIB
_UP_S = 12 * 86_400 + 17_233
_LOADERS_PCT = 2.1
"""What a rank's data loader workers add to its own share, as a multiple of it."""


def machine(rows: Iterable[GpuProcess], gpus: int, at_s: float, *, seed: int, speed: float) -> Host:
    """Give the host's figures: they follow from the processes, plus what every host does anyway."""
    per_pid = {row.pid: (row.cpu_pct or 0.0, row.rss_bytes or 0, row.facts.rank is not None) for row in rows}
    cores = 2.4 + 0.5 * wobble(seed, 90, at_s / 3)
    memory = _REST_BYTES + int(300 * MIB * wobble(seed, 91, at_s / 20))
    for cpu_pct, rss, is_rank in per_pid.values():
        cores += cpu_pct / 100 * (1 + _LOADERS_PCT if is_rank else 1)
        memory += rss
    boards = (gpus + 7) // 8
    return Host(
        name=f"demo-{gpus}xh100",
        cpu_count=_CORES * boards,
        cpu_pct=round(min(100.0, 100 * cores / (_CORES * boards)), 1),
        load_1=round(cores * 1.06, 2),
        memory_total_bytes=_MEMORY_BYTES * boards,
        memory_used_bytes=memory,
        swap_total_bytes=8 * GIB,
        swap_used_bytes=212 * MIB,
        uptime_s=round(_UP_S + at_s / speed, 2),
    )

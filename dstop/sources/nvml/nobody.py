"""Memory that is used and belongs to no listed process: how much, on which card, and the likeliest story."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.model.unattributed import WORTH_A_ROW_BYTES, Unattributed, likely_cause, unattributed_bytes
from dstop.sources.nvml.due import Due

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.model.gpu import Gpu
    from dstop.model.process import GpuProcess
    from dstop.model.unattributed import Holder
    from dstop.sources.nvml.hostside import HostSide
    from dstop.sources.nvml.reading import Reading

_SCAN_S = 15.0


class Nobody:
    """Finds the rows nobody owns. The search for who holds a device is rare: it looks at every open file."""

    def __init__(self, host: HostSide) -> None:
        self._host = host
        self._due = Due(_SCAN_S)
        self._holders: tuple[Holder, ...] = ()
        self._sees_all = False

    def update(
        self,
        readings: Sequence[Reading],
        rows: Sequence[GpuProcess],
        minor_to_index: Mapping[int, int],
        now_s: float,
    ) -> tuple[Unattributed, ...]:
        """Hold the memory of each card, as it was when its processes were listed, against theirs."""
        by_gpu: dict[int, list[GpuProcess]] = {}
        for row in rows:
            by_gpu.setdefault(row.gpu_index, []).append(row)
        unowned: list[tuple[Gpu, int, list[GpuProcess]]] = []
        for reading in readings:
            gpu = reading.used_at_lists
            # Without a list all memory would seem nobody's.
            if gpu is None or reading.lists_reason is not None or gpu.unified_memory or reading.gpu.fault:
                continue
            mine = by_gpu.get(gpu.index, [])
            count, _ = unattributed_bytes(gpu, mine)
            if count is not None and count >= WORTH_A_ROW_BYTES:
                unowned.append((gpu, count, mine))
        if unowned and self._due.now(now_s):
            self._holders, self._sees_all = self._host.holders(minor_to_index)
        return tuple(
            Unattributed(gpu_index=gpu.index, bytes=count, cause=self._cause(gpu, mine))
            for gpu, count, mine in unowned
        )

    def _cause(self, gpu: Gpu, mine: Sequence[GpuProcess]) -> str:
        return likely_cause(
            gpu, mine, self._holders, sees_all=self._sees_all, in_container=self._host.container is not None
        )

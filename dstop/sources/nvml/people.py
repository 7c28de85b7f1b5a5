"""The rows of a sample: the driver's word of each process and the host's, together, kept while they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.model.process import GpuProcess
from dstop.sources.nvml.due import MEDIUM_S, Due

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.sources.nvml.hostside import HostSide
    from dstop.sources.nvml.processes import Listed
    from dstop.sources.nvml.reading import Reading
    from dstop.sources.procfs.table import HostView

_USE_FIELDS = ("sm_pct", "memory_pct", "encoder_pct", "decoder_pct")


class People:
    """Makes rows of readings. `rows` is the same tuple for as long as nothing in it changed."""

    def __init__(self, host: HostSide) -> None:
        self._host = host
        self._due = Due(MEDIUM_S)
        self._views: Mapping[int, HostView] = {}
        self._sources: tuple[tuple[int, tuple[Listed, ...]], ...] = ()
        self.rows: tuple[GpuProcess, ...] = ()

    def update(self, readings: Sequence[Reading], now_s: float) -> bool:
        """Bring the rows up to date with these readings; True when they were looked at anew.

        The host is asked in the medium class, or at once when a PID is new.
        """
        sources = tuple((reading.gpu.index, reading.listed) for reading in readings if reading.listed)
        # In this order, since asking whether it is due takes the turn.
        due = self._due.now(now_s)
        same = len(sources) == len(self._sources) and all(
            new[1] is old[1] and new[0] == old[0] for new, old in zip(sources, self._sources, strict=True)
        )
        if same and not due:
            return False
        pids = {row.pid for _, listed in sources for row in listed}
        if due or not pids <= self._views.keys():
            self._views = self._host.views(sorted(pids), now_s) if pids else {}
        self._sources = sources
        rows = self._build(readings)
        if rows != self.rows:
            self.rows = rows
        return True

    def _build(self, readings: Sequence[Reading]) -> tuple[GpuProcess, ...]:
        whys: dict[tuple[int, str | None, str | None, str | None], Mapping[str, str]] = {}
        built = []
        for reading in readings:
            index, uuid = reading.gpu.index, reading.gpu.uuid
            for row in reading.listed:
                view = self._views[row.pid]
                doubt = None if row.use is None else row.use.doubt
                key = (id(view.unavailable), row.memory_reason, row.use_reason, doubt)
                why = whys.get(key)
                if why is None:
                    why = whys[key] = _unavailable(row, view)
                built.append(_process(index, uuid, row, view, why))
        return tuple(built)


def _process(index: int, uuid: str | None, row: Listed, view: HostView, why: Mapping[str, str]) -> GpuProcess:
    use = row.use
    return GpuProcess(
        gpu_index=index,
        gpu_uuid=uuid,
        pid=row.pid,
        type=row.type,
        gpu_memory_bytes=row.memory_bytes,
        sm_pct=None if use is None else use.sm_pct,
        memory_pct=None if use is None else use.memory_pct,
        encoder_pct=None if use is None else use.encoder_pct,
        decoder_pct=None if use is None else use.decoder_pct,
        gpu_instance_id=row.gpu_instance_id,
        compute_instance_id=row.compute_instance_id,
        facts=view.facts,
        cpu_pct=view.cpu_pct,
        rss_bytes=view.rss_bytes,
        state=view.state,
        unavailable=why,
    )


def _unavailable(row: Listed, view: HostView) -> Mapping[str, str]:
    """Give the reasons of both sides; the host's own map as it is when the driver left nothing out."""
    doubt = None if row.use is None else row.use.doubt
    if row.memory_reason is None and row.use_reason is None and doubt is None:
        return view.unavailable
    why = dict(view.unavailable)
    if row.memory_reason is not None:
        why["gpu_memory_bytes"] = row.memory_reason
    for place, field in enumerate(_USE_FIELDS):
        if row.use is None:
            why[field] = row.use_reason or "the driver gives none"
        elif row.use[place] is None:
            why[field] = doubt or "the driver gives none"
    return why

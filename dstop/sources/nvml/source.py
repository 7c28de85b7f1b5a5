"""NVIDIA GPUs of this machine as a source of samples."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.errors import SourceError
from dstop.model.sample import Sample
from dstop.sources import LAZY_FIELDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from dstop.model.gpu import Gpu
    from dstop.model.host import Host
    from dstop.model.process import GpuProcess
    from dstop.model.unattributed import Unattributed
    from dstop.sources.nvml.attempt import Attempt
    from dstop.sources.nvml.binding import Binding
    from dstop.sources.nvml.hostside import HostSide
    from dstop.sources.nvml.reading import Reading
    from dstop.sources.nvml.reasons import DriverGoneError
    from dstop.sources.nvml.session import Session, Started

STARTING_S = 15.0
"""How long a reading waits for the driver to start: without persistence mode it wakes every GPU."""


class NvmlSource:
    """The driver, read through NVML. See `sources.Source` for the contract.

    The first reading may take up to `starting_s` longer than its patience, while the driver starts.
    """

    def __init__(
        self, *, binding: Binding | None = None, host: HostSide | None = None, starting_s: float = STARTING_S
    ) -> None:
        """Load nvidia-ml-py; the driver itself is started by the first reading.

        Raises:
            SourceError: when nvidia-ml-py is missing, too old, or another package goes by its name.
        """
        from dstop.sources.nvml.binding import Binding  # noqa: PLC0415 - nothing of it before a source is made
        from dstop.sources.nvml.hostside import LinuxHost  # noqa: PLC0415
        from dstop.sources.nvml.nobody import Nobody  # noqa: PLC0415
        from dstop.sources.nvml.people import People  # noqa: PLC0415

        self._binding = binding or Binding()
        self._host = host or LinuxHost()
        self._people, self._nobody = People(self._host), Nobody(self._host)
        self._starting_s = starting_s
        self._watched: frozenset[str] = frozenset()
        self._attempt: Attempt[Started] | None = None
        self._session: Session | None = None
        self._unattributed: tuple[Unattributed, ...] = ()
        self._closed = False

    def read(self, *, patience_s: float = 0.5) -> Sample:
        """Give the newest figures; see `sources.Source.read`.

        Raises:
            SourceError: when there is no driver to read, with what to do; the next call starts it again.
        """
        from dstop.sources.nvml.reasons import DriverGoneError  # noqa: PLC0415

        session = self._session or self._open(patience_s)
        try:
            read = session.read(patience_s)
        except DriverGoneError as gone:
            raise self._gone(session, gone) from None
        if self._closed:
            raise SourceError("the source was closed")
        return self._sample(session, read)

    def watch(self, fields: AbstractSet[str]) -> None:
        """Read these costly fields from the next sample on, and no others."""
        self._watched = frozenset(fields) & LAZY_FIELDS

    def close(self) -> None:
        """Let go of the driver within 0.4 s, whatever hangs."""
        if self._closed:
            return
        self._closed = True
        if self._attempt is not None:
            self._attempt.abandon()
        if self._session is not None:
            self._session.stop()
        self._binding.stop()
        self._host.stop()

    # --- the driver's coming and going ---------------------------------------------------------------

    def _open(self, patience_s: float) -> Session:
        from dstop.sources.nvml.attempt import Attempt  # noqa: PLC0415
        from dstop.sources.nvml.session import Session, start  # noqa: PLC0415

        if self._closed:
            raise SourceError("the source was closed")
        if self._attempt is None:
            self._attempt = Attempt(lambda: start(self._binding))
        try:
            started = self._attempt.wait(max(patience_s, self._starting_s))
        except SourceError:
            self._attempt = None
            raise
        if self._closed:
            raise SourceError("the source was closed")
        if started is None:
            # It may still start: the attempt stays, and the next reading asks how far it is.
            raise SourceError(
                "the NVIDIA driver does not answer (nvmlInit hangs)", fix="`dmesg | grep NVRM` says why"
            )
        self._attempt = None
        self._session = Session(self._binding, started, watched=lambda: self._watched)
        return self._session

    def _gone(self, session: Session, gone: DriverGoneError) -> SourceError:
        from dstop.sources.nvml.absence import explain  # noqa: PLC0415
        from dstop.sources.nvml.evidence import gather  # noqa: PLC0415

        session.stop()
        self._session = None
        return explain(gather(gone.code))

    # --- putting a sample together -------------------------------------------------------------------

    def _sample(self, session: Session, read: Sequence[tuple[Gpu, Reading | None]]) -> Sample:
        taken_at_ns, now_s = time.time_ns(), time.monotonic()
        host = self._host.host()
        readings = [reading for _, reading in read if reading is not None]
        if self._people.update(readings, now_s):
            self._unattributed = self._nobody.update(readings, self._people.rows, session.minors(), now_s)
        rows = self._people.rows
        return Sample(
            taken_at_ns=taken_at_ns,
            host=host,
            driver_version=session.started.driver_version,
            cuda_version=session.started.cuda_version,
            gpus=tuple(shared(gpu, rows, host) if gpu.unified_memory else gpu for gpu, _ in read),
            processes=rows,
            unattributed=self._unattributed,
            notices=notices(readings, rows),
        )


def shared(gpu: Gpu, rows: Sequence[GpuProcess], host: Host) -> Gpu:
    """Fill in the memory of a GPU that has none of its own: the host's, and what its processes use."""
    mine = [row.gpu_memory_bytes for row in rows if row.gpu_index == gpu.index]
    why = dict(gpu.unavailable)
    total, taken = host.memory_total_bytes, host.memory_used_bytes
    free = total - taken if total is not None and taken is not None else None
    used = sum(count for count in mine if count is not None) if None not in mine else None
    if used is None:
        why["memory_used_bytes"] = "unified memory, and the driver does not tell every process's share"
    for name, value in (
        ("memory_total_bytes", total),
        ("memory_free_bytes", free),
        ("memory_used_bytes", used),
    ):
        if value is not None:
            why.pop(name, None)
    return replace(
        gpu, memory_total_bytes=total, memory_free_bytes=free, memory_used_bytes=used, unavailable=why
    )


def notices(readings: Sequence[Reading], rows: Sequence[GpuProcess]) -> tuple[str, ...]:
    """Say what the user should know of how this was read."""
    from dstop.sources.procfs.namespace import OTHER_NAMESPACE  # noqa: PLC0415

    said = []
    strangers = sum(row.facts.unavailable.get("command") == OTHER_NAMESPACE for row in rows)
    if strangers:
        said.append(f"{strangers} PIDs are of another namespace: run with --pid=host to see what they are")
    for reading in readings:
        if reading.dropped:
            count = "1 row" if reading.dropped == 1 else f"{reading.dropped} rows"
            said.append(f"GPU {reading.gpu.index}: left out {count} of its process list that made no sense")
        if reading.lists_reason is not None:
            said.append(f"GPU {reading.gpu.index}: its processes cannot be listed: {reading.lists_reason}")
    return tuple(said)

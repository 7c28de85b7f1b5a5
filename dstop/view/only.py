"""Less of a sample: `--only`, `--user`, `--pid`, `--filter` and `--no-processes`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from collections.abc import Set as AbstractSet

    from dstop.model.gpu import Gpu
    from dstop.model.process import GpuProcess
    from dstop.model.sample import Sample
    from dstop.view.filter import Filter


def narrow(
    sample: Sample,
    *,
    gpu_indices: Collection[int] | None = None,
    users: AbstractSet[str] = frozenset(),
    pids: Collection[int] = (),
    filter: Filter | None = None,  # noqa: A002 - the word of the command line
    processes: bool = True,
) -> Sample:
    """Give a sample with only these cards and rows; empty `users` and `pids` ask for all.

    A user may be given as a name or as a number. Memory that is nobody's goes with its card, and is left out
    once users or PIDs are asked for. The GPUs' own figures stay those of the whole card.
    """
    asked = filter or None
    if processes and gpu_indices is None and not users and not pids and asked is None:
        return sample
    gpus = sample.gpus
    if gpu_indices is not None:
        gpus = tuple(gpu for gpu in gpus if gpu.index in gpu_indices)
    if not processes:
        return replace(sample, gpus=_remembering(gpus, sample.processes), processes=(), unattributed=())
    cards = {gpu.index: gpu for gpu in gpus}

    def wanted(row: GpuProcess) -> bool:
        return (
            (gpu_indices is None or row.gpu_index in gpu_indices)
            and (not pids or row.pid in pids)
            and (not users or not users.isdisjoint(_names(row)))
            and (asked is None or asked.matches(row, cards.get(row.gpu_index), now_ns=sample.taken_at_ns))
        )

    nobodys = () if users or pids else sample.unattributed
    kept: list[GpuProcess] = []
    left: list[GpuProcess] = []
    for row in sample.processes:
        (kept if wanted(row) else left).append(row)
    return replace(
        sample,
        gpus=_remembering(gpus, left),
        processes=tuple(kept),
        unattributed=tuple(
            row
            for row in nobodys
            if (gpu_indices is None or row.gpu_index in gpu_indices)
            and (asked is None or asked.matches_unattributed(row, cards.get(row.gpu_index)))
        ),
    )


def _remembering(gpus: tuple[Gpu, ...], left: Iterable[GpuProcess]) -> tuple[Gpu, ...]:
    """Note on each card what the rows that go hold: it is somebody's memory, though nobody's in sight."""
    bytes_of: dict[int, list[int | None]] = {}
    for row in left:
        bytes_of.setdefault(row.gpu_index, []).append(row.gpu_memory_bytes)
    return tuple(
        replace(gpu, left_out_bytes=_total(bytes_of[gpu.index])) if gpu.index in bytes_of else gpu
        for gpu in gpus
    )


def _total(counts: Iterable[int | None]) -> int | None:
    total = 0
    for count in counts:
        if count is None:
            return None
        total += count
    return total


def _names(row: GpuProcess) -> tuple[str, ...]:
    known = (row.facts.user, None if row.facts.uid is None else str(row.facts.uid))
    return tuple(name for name in known if name is not None)

"""Which cards to start a job on: those with room, the freest first, and why each other was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dstop.errors import DstopError
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Collection

    from dstop.model.gpu import Gpu, MigInstance
    from dstop.model.sample import Sample

PickOrder = Literal["free", "utilization", "index"]


def pick(
    sample: Sample,
    count: int,
    free_bytes: int,
    *,
    max_utilization: float | None = None,
    max_processes: int | None = None,
    only: Collection[int] | None = None,
    sort: PickOrder = "free",
) -> tuple[Gpu, ...]:
    """Give the `count` best cards that have at least `free_bytes` free.

    What is not known refuses a card: a job started on a guess runs out of memory. Cards that are split by MIG
    are for `pick_slices`.

    Args:
        sample: the machine.
        count: how many cards are needed.
        free_bytes: what each must have free.
        max_utilization: percent of time that each may have been busy at most.
        max_processes: how many processes may be on each at most.
        only: indices to choose from; None is all.
        sort: the best first: most free, least utilised, or lowest index.

    Raises:
        DstopError: when there are fewer, with the reason for each card that was refused.
    """
    candidates = [gpu for gpu in sample.gpus if only is None or gpu.index in only]
    pids = {
        gpu.index: {row.pid for row in sample.processes if row.gpu_index == gpu.index} for gpu in candidates
    }
    reasons = {
        gpu.index: _refusal(gpu, free_bytes)
        or _mode_refusal(gpu, len(pids[gpu.index]))
        or _load_refusal(gpu, len(pids[gpu.index]), max_utilization, max_processes)
        for gpu in candidates
    }
    good = [gpu for gpu in candidates if reasons[gpu.index] is None]
    if len(good) < count:
        refused = [f"GPU {index}: {reason}" for index, reason in reasons.items() if reason is not None]
        raise _too_few(len(good), count, free_bytes, refused)
    return tuple(sorted(good, key=lambda gpu: _rank(gpu, sort))[:count])


def _rank(gpu: Gpu, sort: PickOrder) -> tuple[float, ...]:
    free = -float(gpu.memory_free_bytes or 0)
    busy = 101.0 if gpu.utilization_gpu_pct is None else gpu.utilization_gpu_pct
    if sort == "index":
        return (gpu.index,)
    return (busy, free, gpu.index) if sort == "utilization" else (free, busy, gpu.index)


def _refusal(gpu: Gpu, free_bytes: int) -> str | None:
    """Say why the card itself cannot be had."""
    if gpu.fault is not None:
        return gpu.fault
    if gpu.stale_s > 0:
        return f"its driver has not answered for {gpu.stale_s:.0f} s"
    if gpu.mig_enabled:
        return "split by MIG: choose one of its slices"
    if gpu.memory_free_bytes is None:
        reason = gpu.unavailable.get("memory_free_bytes")
        return "its free memory is not known" + (f" ({reason})" if reason else "")
    if gpu.memory_free_bytes < free_bytes:
        return f"{bytes_text(gpu.memory_free_bytes)} free, {bytes_text(free_bytes)} needed"
    return None


def _mode_refusal(gpu: Gpu, processes: int) -> str | None:
    """Say why its compute mode would turn a new program away."""
    mode = (gpu.compute_mode or "").lower()
    if "prohibited" in mode:
        return "its compute mode prohibits programs"
    if "exclusive" in mode and processes:
        return "its compute mode lets one program in, and one is there"
    return None


def _load_refusal(
    gpu: Gpu, processes: int, max_utilization: float | None, max_processes: int | None
) -> str | None:
    """Say why it is busier than was asked for."""
    busy = gpu.utilization_gpu_pct
    if max_utilization is not None and busy is None:
        return "its utilisation is not known"
    if max_utilization is not None and busy is not None and busy > max_utilization:
        return f"{busy:.0f} % busy, at most {max_utilization:.0f} % asked for"
    if max_processes is not None and processes > max_processes:
        return f"{processes} processes on it, at most {max_processes} asked for"
    return None


def pick_slices(
    sample: Sample, count: int, free_bytes: int, *, only: Collection[int] | None = None
) -> tuple[MigInstance, ...]:
    """Give the `count` MIG instances with the most free memory, to be named by UUID.

    Raises:
        DstopError: when there are fewer with `free_bytes` free and a UUID.
    """
    good: list[MigInstance] = []
    refused: list[str] = []
    for gpu in sample.gpus:
        if only is not None and gpu.index not in only:
            continue
        fault = gpu.fault or ("its driver does not answer" if gpu.stale_s > 0 else None)
        if fault or not gpu.mig:
            refused.append(f"GPU {gpu.index}: {fault or _unsplit(gpu)}")
            continue
        for part in gpu.mig:
            reason = _slice_refusal(part, free_bytes)
            if reason is None:
                good.append(part)
            else:
                refused.append(f"GPU {gpu.index} slice {part.gpu_instance_id}: {reason}")
    if len(good) < count:
        raise _too_few(len(good), count, free_bytes, refused, what="MIG slice")
    return tuple(sorted(good, key=lambda part: -(part.memory_free_bytes or 0))[:count])


def _unsplit(gpu: Gpu) -> str:
    return "MIG is on, but it has no instance yet" if gpu.mig_enabled else "not split by MIG"


def _slice_refusal(part: MigInstance, free_bytes: int) -> str | None:
    if part.uuid is None:
        return "it has no UUID to name it by"
    if part.memory_free_bytes is None:
        return "its free memory is not known"
    if part.memory_free_bytes < free_bytes:
        return f"{bytes_text(part.memory_free_bytes)} free, {bytes_text(free_bytes)} needed"
    return None


def _too_few(found: int, count: int, free_bytes: int, refused: list[str], what: str = "GPU") -> DstopError:
    needed = f"{count} {what}{'' if count == 1 else 's'} with {bytes_text(free_bytes)} free"
    why = "; ".join(refused) if refused else f"there are {found} {what}s to choose from"
    return DstopError(f"{found} of {needed} found", fix=why)

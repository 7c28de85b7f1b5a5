"""The cards as they are now: who holds one that a job has just failed on may still be there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.evidence.collect import Found
from dstop.doctor.evidence.facts import Place, Sign
from dstop.errors import SourceError
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.model.gpu import Gpu
    from dstop.model.sample import Sample
    from dstop.sources import Source

_FULL = 0.5
"""From this share of a card on somebody is worth naming."""
_PATIENCE_S = 1.0


def cards_now(open_source: Callable[[], Source], order: int) -> Found | None:
    """Read the driver once; None where it does not answer, which is no finding of this case.

    Args:
        open_source: gives the driver.
        order: among what was read; the cards of now come after all that has happened.
    """
    try:
        source = open_source()
    except SourceError:
        return None
    try:
        sample = source.read(patience_s=_PATIENCE_S)
    except SourceError:
        return None
    finally:
        source.close()
    signs = [sign for gpu in sample.gpus if (sign := _sign(gpu, sample, order)) is not None]
    return Found(source="the cards now", signs=tuple(signs), lines=1) if signs else None


def _sign(gpu: Gpu, sample: Sample, order: int) -> Sign | None:
    total, used = gpu.memory_total_bytes, gpu.memory_used_bytes
    if not total or used is None or used < _FULL * total:
        return None
    held = [
        (process.gpu_memory_bytes or 0, process.pid, process.facts.command or "?")
        for process in sample.processes
        if process.gpu_index == gpu.index
    ]
    names = ", ".join(
        f"{command} ({pid}) {bytes_text(size)}" for size, pid, command in sorted(held, reverse=True)[:3]
    )
    text = f"GPU {gpu.index} now: {bytes_text(used)} of {bytes_text(total)} in use" + (
        f": {names}" if names else ""
    )
    pids = " ".join(str(pid) for _, pid, _ in sorted(held, reverse=True)[:3])
    return Sign(
        kind="torch.card_full",
        place=Place(source=f"GPU {gpu.index}", order=order),
        text=text,
        values={"used_bytes": used, "total_bytes": total, "pids": pids},
    )

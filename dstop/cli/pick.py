"""`dstop pick`: the line that goes into CUDA_VISIBLE_DEVICES."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dstop.cli.printing import FIRST_PATIENCE_S
from dstop.errors import DstopError, UsageError
from dstop.units import parse_bytes
from dstop.view.gpus import select_gpus
from dstop.view.picker import pick, pick_slices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.sources import Source


def pick_line(source: Source, options: Mapping[str, Any]) -> str:
    """Read once and give the chosen GPUs, parted by commas; the source is closed.

    Raises:
        UsageError: when a size or a GPU cannot be understood.
        DstopError: when there are too few, with the reason for each card that was refused.
    """
    try:
        free_bytes = parse_bytes(options["free"])
    except ValueError as error:
        source.close()
        raise UsageError(f"--free: {error}") from error
    try:
        sample = source.read(patience_s=FIRST_PATIENCE_S)
    finally:
        source.close()
    only = select_gpus(sample.gpus, options["only"]) if options["only"] else None
    if options["mig"]:
        slices = pick_slices(sample, options["count"], free_bytes, only=only)
        return ",".join(part.uuid or "" for part in slices) + "\n"
    chosen = pick(
        sample,
        options["count"],
        free_bytes,
        max_utilization=options["max_util"],
        max_processes=options["max_processes"],
        only=only,
        sort=options["sort"],
    )
    if not options["uuid"]:
        return ",".join(str(gpu.index) for gpu in chosen) + "\n"
    nameless = [gpu.index for gpu in chosen if gpu.uuid is None]
    if nameless:
        raise DstopError(f"GPU {nameless[0]} has no UUID", fix="leave out --uuid")
    return ",".join(gpu.uuid or "" for gpu in chosen) + "\n"

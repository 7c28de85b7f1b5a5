"""The stacked memory bar: who has the card, what nobody claims, what the driver keeps, what is free."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.bars import stacked
from dstop.model.gpu import Gpu
from dstop.model.unattributed import WORTH_A_ROW_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line
    from dstop.model.gpu import MigInstance

PROCESS, LEFT_OUT, UNATTRIBUTED, RESERVED, FREE = "▇", "▓", "▒", "░", "─"
MOST_PARTS = 12


def memory_bar(gpu: Gpu | MigInstance, process_bytes: Sequence[int], width: int) -> Line:
    """Draw one card's memory.

    Args:
        gpu: the card or the MIG instance.
        process_bytes: what each process has, any order; the biggest are drawn apart in alternating shades.
        width: cells.
    """
    total, used = gpu.memory_total_bytes, gpu.memory_used_bytes
    if not total or used is None:
        return stacked((), 0, width)
    biggest = sorted((size for size in process_bytes if size > 0), reverse=True)
    tail = sum(biggest[MOST_PARTS:])
    parts: list[tuple[float, str, str]] = [
        (size, PROCESS, "seg.b" if place % 2 else "seg.a")
        for place, size in enumerate([*biggest[:MOST_PARTS], *([tail] if tail else [])])
    ]
    rest = used - sum(biggest)
    others = gpu.left_out_bytes if isinstance(gpu, Gpu) else 0
    parts.append((rest if others is None else others, LEFT_OUT, "dim"))
    rest -= rest if others is None else others
    parts.append((rest if rest >= WORTH_A_ROW_BYTES else 0, UNATTRIBUTED, "seg.unattributed"))
    parts.append((gpu.memory_reserved_bytes or 0, RESERVED, "seg.reserved"))
    parts.append((0, FREE, "seg.free"))
    return stacked(parts, total, width)

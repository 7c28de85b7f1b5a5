"""The stacked memory bar: who has the card, what nobody claims, what the driver keeps, what is free."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from dstop.draw.bars import stacked
from dstop.model.gpu import Gpu
from dstop.model.unattributed import WORTH_A_ROW_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dstop.draw.line import Line
    from dstop.model.gpu import MigInstance
    from dstop.model.process import GpuProcess

PROCESS, LEFT_OUT, UNATTRIBUTED, RESERVED, FREE = "▇", "▓", "▒", "░", "─"
CACHED, NOT_TORCH = "▄", "▚"
EXPECTED, GHOST = "┃", "╌"
"""Where a process should end that holds more than its model needs; and what is still to come of one that holds less."""
MOST_PARTS = 12
LEAST_TO_SPLIT = 4
"""Cells of a process from which on its parts can be told apart; a shorter stretch is drawn as one."""


class Holding(NamedTuple):
    """What a process has of a card, and what of it is not in use, where its allocator says so."""

    total_bytes: int
    cached_bytes: int = 0
    """Reserved by PyTorch's allocator and free."""
    not_torch_bytes: int = 0
    """Beside the allocator: context, NCCL, libraries."""
    expected_bytes: int | None = None
    """What its model should hold; None where that is not known, or where what it does hold is within the band."""


def holdings(processes: Iterable[GpuProcess]) -> list[Holding]:
    """Give what each process has of its card; of a guest, also what it is made of."""
    return [_holding(process) for process in processes]


def _holding(process: GpuProcess) -> Holding:
    total, allocator = process.gpu_memory_bytes or 0, process.allocator
    beside = process.not_torch_bytes
    should = process.expectation
    expected = None
    if should is not None and not should.is_floor and should.verdict in {"above", "below"}:
        expected = should.expected_bytes
    if allocator is None or beside is None:
        return Holding(total, expected_bytes=expected)
    return Holding(total, allocator.cached_bytes or 0, beside, expected)


def memory_bar(gpu: Gpu | MigInstance, held: Sequence[Holding], width: int) -> Line:
    """Draw one card's memory.

    Args:
        gpu: the card or the MIG instance.
        held: what each process has, any order; the biggest are drawn apart in alternating shades.
        width: cells.
    """
    total, used = gpu.memory_total_bytes, gpu.memory_used_bytes
    if not total or used is None:
        return stacked((), 0, width)
    biggest = sorted((each for each in held if each.total_bytes > 0), key=itemgetter(0, 1, 2), reverse=True)
    tail = sum(each.total_bytes for each in biggest[MOST_PARTS:])
    parts: list[tuple[float, str, str]] = []
    for place, each in enumerate([*biggest[:MOST_PARTS], *([Holding(tail)] if tail else [])]):
        parts += _split(each, "seg.b" if place % 2 else "seg.a", total / width if width > 0 else 0.0)
    rest = used - sum(each.total_bytes for each in biggest)
    others = gpu.left_out_bytes if isinstance(gpu, Gpu) else 0
    parts.append((rest if others is None else others, LEFT_OUT, "dim"))
    rest -= rest if others is None else others
    parts.append((rest if rest >= WORTH_A_ROW_BYTES else 0, UNATTRIBUTED, "seg.unattributed"))
    parts.append((gpu.memory_reserved_bytes or 0, RESERVED, "seg.reserved"))
    parts.append((_to_come(biggest), GHOST, "label"))
    parts.append((0, FREE, "seg.free"))
    return _marked(stacked(parts, total, width), biggest[:MOST_PARTS], total, width)


def _to_come(held: Iterable[Holding]) -> int:
    """Give what the models of a card should still take: it stands in what is free, or in nothing."""
    return sum(max(0, (each.expected_bytes or 0) - each.total_bytes) for each in held)


def _marked(line: Line, held: Sequence[Holding], total: int, width: int) -> Line:
    """Put a mark into the stretch of each process that holds more than it should, where it should end.

    One that is too narrow to be split has no room for a mark either: it would hide whose it is.
    """
    edge, at = 0, []
    for each in held:
        if each.expected_bytes is not None and each.expected_bytes < each.total_bytes:
            place = round((edge + each.expected_bytes) / total * width)
            if each.total_bytes * width >= LEAST_TO_SPLIT * total and place < width:
                at.append(place)
        edge += each.total_bytes
    if not at:
        return line
    spans: list[tuple[str, str]] = []
    start = 0
    for text, role in line:
        cut = 0
        for place in (place - start for place in at if start <= place < start + len(text)):
            if place >= cut:
                spans += [(text[cut:place], role), (EXPECTED, "title")]
                cut = place + 1
        spans.append((text[cut:], role))
        start += len(text)
    return tuple(span for span in spans if span[0])


def _split(held: Holding, role: str, cell_bytes: float) -> Iterator[tuple[float, str, str]]:
    """Cut a process' stretch into in use, cached and not PyTorch's; a part below half a cell joins what is in use.

    Rounding a sliver up to a cell is right for a whole process, that would else not be seen at all; within one it would
    only lie about the parts beside it.
    """
    room = held.total_bytes >= LEAST_TO_SPLIT * cell_bytes
    cached = held.cached_bytes if room and held.cached_bytes * 2 >= cell_bytes else 0
    beside = held.not_torch_bytes if room and held.not_torch_bytes * 2 >= cell_bytes else 0
    yield held.total_bytes - cached - beside, PROCESS, role
    if cached:
        yield cached, CACHED, "seg.cached"
    if beside:
        yield beside, NOT_TORCH, "seg.not_torch"

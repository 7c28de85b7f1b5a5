"""The balance sheet of a failed allocation as one stacked bar, and what its parts are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.bars import stacked
from dstop.draw.memory_bar import CACHED, FREE, LEFT_OUT, NOT_TORCH, PROCESS, UNATTRIBUTED
from dstop.units import GIB, MIB, bytes_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.draw.line import Line
    from dstop.model.diagnosis import Balance

POOLS = "▒"


def balance_bar(balance: Balance, width: int) -> Line:
    """Draw the card as it was; empty where its size is unknown."""
    if not balance.total_bytes:
        return ()
    parts = [(amount, char, role) for _, amount, char, role in _parts(balance)]
    parts.append((0, FREE, "seg.free"))
    return stacked(parts, balance.total_bytes, width)


def balance_legend(balance: Balance, width: int) -> list[Line]:
    """Say what each part is, as many on a line as fit."""
    items = [
        ((char, role), (f" {amount_text(amount)} {name}", ""))
        for name, amount, char, role in (
            *_parts(balance),
            ("free", balance.free_bytes or 0, FREE, "seg.free"),
        )
        if amount or name == "free"
    ]
    lines: list[Line] = []
    line: list[tuple[str, str]] = []
    used = 0
    for item in items:
        size = sum(len(text) for text, _ in item)
        if line and used + size + 2 > width:
            lines.append(tuple(line))
            line, used = [], 0
        if line:
            line.append(("  ", ""))
            used += 2
        line += item
        used += size
    if line:
        lines.append(tuple(line))
    return lines


def _parts(balance: Balance) -> Iterator[tuple[str, int, str, str]]:
    yield "live tensors", balance.allocated_bytes or 0, PROCESS, "seg.a"
    yield "in private pools", balance.private_pool_bytes or 0, POOLS, "seg.private"
    yield "cached by PyTorch", balance.cached_bytes or 0, CACHED, "seg.cached"
    yield "not PyTorch's", balance.not_pytorch_bytes or 0, NOT_TORCH, "seg.not_torch"
    yield "other processes", balance.others_bytes or 0, LEFT_OUT, "seg.b"
    yield "nobody's by name", balance.unattributed_bytes or 0, UNATTRIBUTED, "seg.unattributed"


def amount_text(count: int | None) -> str:
    """Write bytes with the digits that a message has: `71.40 GiB`, `20 MiB`."""
    if count is None:
        return "–"
    if count >= GIB:
        return f"{count / GIB:.2f} GiB"
    return f"{count / MIB:.0f} MiB" if count >= MIB else bytes_text(count)

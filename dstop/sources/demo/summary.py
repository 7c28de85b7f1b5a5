"""The text of `torch.cuda.memory_summary` from simulated figures, laid out as torch/cuda/memory.py does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dstop.model.allocator import Allocator

_WIDTH = 75
_UNITS = ("B  ", "KiB", "MiB", "GiB", "TiB")
_ENOUGH = 768 * 1024
_SMALL_SHARE = 0.006


def summary_text(allocator: Allocator, *, turned_over: int) -> str:
    """Write the table.

    Args:
        allocator: the figures of one device.
        turned_over: bytes that have been allocated and freed again since the program began.
    """
    a = allocator
    lines = [
        "=" * _WIDTH,
        f"PyTorch CUDA memory summary, device ID {a.index}".center(_WIDTH),
        "simulated: no process is behind these numbers".center(_WIDTH),
        "-" * _WIDTH,
        f"  {'':9} CUDA OOMs: {a.num_ooms or 0:<12d} | {'':6} cudaMalloc retries: {a.num_alloc_retries or 0:<8d}  ",
        "=" * _WIDTH,
        "        Metric         | Cur Usage  | Peak Usage | Tot Alloc  | Tot Freed  ",
    ]
    split = a.inactive_split_bytes or 0
    for name, now, peak in (
        ("Allocated memory", a.allocated_bytes, a.peak_allocated_bytes),
        ("Active memory", a.active_bytes, a.peak_allocated_bytes),
        ("Requested memory", a.requested_bytes, a.peak_allocated_bytes),
        ("GPU reserved memory", a.reserved_bytes, a.peak_reserved_bytes),
        ("Non-releasable memory", split, split),
    ):
        used = now or 0
        most = max(used, peak or 0)
        lines += ["-" * _WIDTH, _row(name, used, most, turned_over + used, turned_over)]
        for pool, share in (("large", 1 - _SMALL_SHARE), ("small", _SMALL_SHARE)):
            amounts = (int(share * amount) for amount in (used, most, turned_over + used, turned_over))
            lines.append(_row(f"      from {pool} pool", *amounts))
    lines.append("=" * _WIDTH)
    return "".join(f"|{line}|\n" for line in lines)


def _row(name: str, *amounts: int) -> str:
    return f" {name:<21} | {' | '.join(_size(amount) for amount in amounts)} "


def _size(count: int) -> str:
    """Write an amount as torch does: whole, in the unit in which it has at most six digits."""
    unit = 0
    while count > _ENOUGH and unit < len(_UNITS) - 1:
        count //= 1024
        unit += 1
    return f"{count:6d} {_UNITS[unit]}"

"""PyTorch's out-of-memory messages of every version, CUDA, HIP and XPU.

The message is read clause by clause and not as a whole: logs cut it, ranks write through each other, and every version
orders it differently. Source: c10/cuda/CUDACachingAllocator.cpp of PyTorch 1.0 to 2.15; families T0 to T9 and T12.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from dstop.doctor.evidence.facts import AllocationFailure
from dstop.doctor.evidence.sizes import NONSENSE_BYTES, SIZE, rounding_bytes, size_bytes
from dstop.doctor.questions.whose import told_apart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.doctor.evidence.facts import Place
    from dstop.doctor.evidence.stream import Stream

_MESSAGE = re.compile(
    r"(?:CUDA|HIP|XPU) out of memory\.|(?<=rror: )(?:CUDA|HIP|XPU) out of memory\b|^(?:CUDA|HIP|XPU) out of memory\s*$",
    re.MULTILINE,
)
_LONGEST = 1600
_LONGEST_PLAIN = 200
_S = f"({SIZE})"
_TRIED = re.compile(rf"\s*Tried to allocate {_S}")
_CLAUSES = {
    "total": re.compile(rf"{_S}\s+total capacity|total\s+capaci?ty\s+of\s+{_S}"),
    "free": re.compile(rf"of\s+which\s+{_S}\s+is\s+free|;\s+{_S}\s+free\b"),
    "allocated": re.compile(rf"{_S}\s+already allocated|allocated\s+memory\s+{_S}\s+is\s+allocated"),
    "reserved": re.compile(rf"{_S}\s+(?:reserved\s+in\s+total|cached\))"),
    "unallocated": re.compile(rf"{_S}\s+is\s+reserved\s+by\s+PyTorch\s+but"),
    "process": re.compile(rf"this\s+process\s+has\s+{_S}\s+memory\s+in\s+use"),
    "allowed": re.compile(rf"{_S}\s+allowed;"),
    "private": re.compile(rf"with\s+{_S}\s+allocated\s+in\s+private\s+pools"),
}
_DEVICE = re.compile(r"GPU (\d{1,3})\b")
_OTHER = re.compile(rf"Process\s+(\d{{1,10}})\s+has\s+{_S}\s+memory\s+in\s+use")
_ABSURD = re.compile(r"more than 1EB")
_FRACTION = re.compile(r"preemptively rejected.{0,120}?Requested size: (\d{1,20})", re.DOTALL)
_CLOSING = re.compile(r"[^\n.;)]{0,40}[.)]")
_EXPANDABLE = re.compile(r"expandable_segments is enabled|expandable-segment reserve")


def torch_failures(stream: Stream) -> Iterator[AllocationFailure]:
    """Give each message; the same one written twice is given twice, at its two places."""
    if " out of memory" not in stream.text:
        return
    starts = [found.start() for found in _MESSAGE.finditer(stream.text)]
    for start, after in pairwise([*starts, len(stream.text)]):
        index = stream.index_at(start)
        text = _message(stream.text[start : min(after, start + _LONGEST)])
        yield _failure(text, stream.place(index), stream.rank(index))


def _message(text: str) -> str:
    """Cut off what follows the message: up to its last clause, or its first line where it has none."""
    told = [
        found.end() for clause in (_TRIED, *_CLAUSES.values(), _EXPANDABLE) if (found := clause.search(text))
    ]
    told += [found.end() for found in _OTHER.finditer(text)]
    end = max(told, default=0)
    if not end:
        return text.partition("\n")[0][:_LONGEST_PLAIN]
    closing = _CLOSING.match(text, end)
    return text[: end if closing is None else closing.end()]


def _failure(text: str, place: Place, rank: int | None) -> AllocationFailure:
    short = _short(text)
    tried = _TRIED.search(text)
    if tried is None:
        fraction = _FRACTION.search(text)
        if fraction is not None:
            requested = int(fraction[1])
            return AllocationFailure(
                family="torch_fraction",
                place=place,
                rank=rank,
                text=short,
                tried_bytes=requested if requested < NONSENSE_BYTES else None,
            )
        is_absurd = _ABSURD.search(text, 0, 120) is not None
        return AllocationFailure(family="torch", place=place, rank=rank, text=short, is_absurd=is_absurd)
    printed = {name: _printed(clause, text) for name, clause in _CLAUSES.items()}
    printed["tried"] = tried[1]
    return _with_figures(text, printed, place, rank)


def _printed(clause: re.Pattern[str], text: str) -> str | None:
    found = clause.search(text)
    return None if found is None else next(group for group in found.groups() if group is not None)


def _with_figures(
    text: str, printed: dict[str, str | None], place: Place, rank: int | None
) -> AllocationFailure:
    figures = {name: None if size is None else size_bytes(size) for name, size in printed.items()}
    allocated, cached, reserved = figures["allocated"], figures["unallocated"], figures["reserved"]
    if "cached)" in text and reserved is not None and allocated is not None and reserved < allocated:
        # Before 1.4 a few builds printed what is cached beside the allocated, and not both together.
        cached, reserved = reserved, allocated + reserved
    if reserved is None and allocated is not None and cached is not None:
        reserved = allocated + cached
    if cached is None and allocated is not None and reserved is not None:
        cached = max(0, reserved - allocated)
    if figures["process"] is not None and figures["process"] < (reserved or 0) // 2:
        figures["process"] = None  # "this process has 0 bytes": the driver does not tell, as on Windows
    process, others = _whose(text, figures["process"], reserved)
    total = figures["total"]
    device = _DEVICE.search(text)
    expandable = True if _EXPANDABLE.search(text) else None
    return AllocationFailure(
        family="torch",
        place=place,
        rank=rank,
        text=_short(text),
        device=None if device is None else int(device[1]),
        tried_bytes=figures["tried"],
        total_bytes=total,
        free_bytes=figures["free"],
        allowed_bytes=figures["allowed"],
        allocated_bytes=allocated,
        private_pool_bytes=figures["private"],
        reserved_bytes=reserved,
        reserved_unallocated_bytes=cached,
        process_bytes=process,
        others=others,
        rounding_bytes=sum(rounding_bytes(size) for size in printed.values() if size is not None),
        is_expandable=expandable,
        is_absurd=figures["tried"] is None,
        is_spilling=total is not None and allocated is not None and allocated > total,
    )


def _whose(
    text: str, process: int | None, reserved: int | None
) -> tuple[int | None, tuple[tuple[int, int], ...]]:
    """Tell this process from the others; where the message does not name it, by what it holds."""
    sizes = [(int(pid), size_bytes(size)) for pid, size in _OTHER.findall(text)]
    named = [(pid, size) for pid, size in sizes if size is not None]
    return (process, tuple(named)) if process is not None else told_apart(named, reserved)


def _short(text: str) -> str:
    return " ".join(text.split())

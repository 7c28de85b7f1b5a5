"""Failed allocations that are no message of PyTorch's caching allocator, made into the same shape."""

from __future__ import annotations

import re
from math import prod
from typing import TYPE_CHECKING

from dstop.doctor.evidence.facts import AllocationFailure
from dstop.doctor.evidence.messages.alloc import ALLOCATIONS
from dstop.doctor.evidence.messages.host_alloc import HOST_ALLOCATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dstop.doctor.evidence.facts import Figure
    from dstop.doctor.evidence.pattern import Pattern
    from dstop.doctor.evidence.stream import Stream

_ABSURD = re.compile(r"(?<!\d)\d{17,20}(?!\d)")
"""A size that no memory has: a count that went below zero, or was never set."""
_BYTES_OF = {
    "float": 4,
    "float32": 4,
    "half": 2,
    "float16": 2,
    "bfloat16": 2,
    "double": 8,
    "float64": 8,
    "int32": 4,
    "int64": 8,
}


def device_failures(stream: Stream) -> Iterator[AllocationFailure]:
    """Give those on a device."""
    yield from _of(stream, ALLOCATIONS)


def host_failures(stream: Stream) -> Iterator[AllocationFailure]:
    """Give those in host memory."""
    yield from _of(stream, HOST_ALLOCATIONS)


def _of(stream: Stream, patterns: tuple[Pattern, ...]) -> Iterator[AllocationFailure]:
    seen: set[int] = set()
    for pattern in patterns:
        for offset, text, values in pattern.find(stream.text):
            index = stream.index_at(offset + len(text) - len(text.lstrip()))
            if index in seen:
                continue  # the first pattern of a line is the one that knows most
            seen.add(index)
            yield AllocationFailure(
                family=pattern.kind,
                place=stream.place(index),
                rank=stream.rank(index),
                text=" ".join(text.split())[:400],
                device=_count(values, "device_count"),
                tried_bytes=_count(values, "tried_bytes")
                or _count(values, "tried2_bytes")
                or _shape_bytes(values),
                total_bytes=_count(values, "total_bytes") or None,
                free_bytes=_count(values, "free_bytes"),
                allowed_bytes=_count(values, "allowed_bytes"),
                allocated_bytes=_count(values, "allocated_bytes"),
                is_absurd="tried_bytes" not in values and _ABSURD.search(text) is not None,
            )


def _count(values: Mapping[str, Figure], name: str) -> int | None:
    value = values.get(name)
    return int(value) if isinstance(value, int | float) else None


def _shape_bytes(values: Mapping[str, Figure]) -> int | None:
    """Give the bytes of a tensor from its printed shape and type."""
    shape, width = values.get("shape"), _BYTES_OF.get(str(values.get("dtype", "float")))
    if not isinstance(shape, str) or width is None:
        return None
    sizes = [int(size) for size in shape.split(",") if size and len(size) <= 12]  # noqa: PLR2004 - 2**40
    return min(prod(sizes) * width, 2**62)

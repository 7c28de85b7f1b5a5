"""The numbers and roundings of PyTorch's caching allocator for CUDA: every rule that is a formula, and its settings.

Source: `c10/cuda/CUDACachingAllocator.cpp` (`round_size`, `get_allocation_size`, `should_split`) and
`c10/core/AllocatorConfig.{h,cpp}` of PyTorch 2.0 to 2.14.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dstop.model.value import Value
from dstop.units import MIB

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.snapshot.values import Settings

MIN_BLOCK = 512
"""`kMinBlockSize`: sizes are multiples of it, and no smaller piece is split off."""
SMALL_SIZE = 1 * MIB
"""`kSmallSize`: rounded requests up to it are served by the small pool."""
SMALL_BUFFER = 2 * MIB
"""`kSmallBuffer`: the segments, and the expandable pages, of the small pool."""
MIN_LARGE = 10 * MIB
"""`kMinLargeAlloc`: below it a large request gets a segment of `LARGE_BUFFER`, from it on one of its own."""
LARGE_BUFFER = 20 * MIB
"""`kLargeBuffer`: the segments for requests between 1 and 10 MiB, and the expandable pages of the large pool."""
ROUND_LARGE = 2 * MIB
"""`kRoundLarge`: segments of their own are multiples of it."""
LEAST_SPLIT = 20 * MIB
"""The smallest `max_split_size_mb` that torch takes."""
INTERVALS = 16
"""`kRoundUpPowerOfTwoIntervals`: `roundup_power2_divisions` is set for 1, 2, 4 … 32768 MiB, each up to its double."""
_START = MIB.bit_length() - 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Rules(Value):
    """One configuration of the allocator."""

    expandable: bool = False
    max_split_bytes: int | None = None
    """Free blocks of this size and more are not split; None is no limit."""
    gc_threshold: float = 0.0
    """The fraction of the capacity from which on old cached segments are given back; 0 is off."""
    divisions: Mapping[int, int] = field(default_factory=dict)
    """Interval in MiB (1, 2, 4 … 32768) -> into how many pieces it is cut for rounding; what is missing is not cut."""
    large_segment_bytes: int = LARGE_BUFFER
    """`large_segment_size_mb` (2.10)."""
    max_rounding_bytes: int = LARGE_BUFFER
    """`max_non_split_rounding_mb`: by how much a block that must not be split may exceed the request."""

    oldest_first: bool = False
    """Of free blocks of one size that of the oldest segment is taken (newer versions), not the lowest address's."""

    @property
    def layout(self) -> tuple[object, ...]:
        """What decides where a block lies: with another of these, the past must be placed anew."""
        return (
            self.expandable,
            self.max_split_bytes,
            tuple(sorted(self.divisions.items())),
            self.large_segment_bytes,
            self.max_rounding_bytes,
        )


def rules_of(settings: Settings | None) -> Rules:
    """Give the rules that a snapshot was recorded under; torch's own where it does not say (before 2.3)."""
    if settings is None:
        return Rules()
    conf = settings.conf or ""
    large = _megabytes(conf, "large_segment_size_mb")
    rounding = _megabytes(conf, "max_non_split_rounding_mb")
    return Rules(
        expandable=bool(settings.expandable_segments),
        max_split_bytes=settings.max_split_bytes,
        gc_threshold=settings.gc_threshold or 0.0,
        divisions=dict(settings.roundup_power2_divisions),
        large_segment_bytes=large or LARGE_BUFFER,
        max_rounding_bytes=rounding or LARGE_BUFFER,
    )


def _megabytes(conf: str, key: str) -> int | None:
    found = re.search(rf"(?:^|,)\s*{key}\s*:\s*(\d{{1,6}})\b", conf)
    return int(found[1]) * MIB or None if found else None


def round_size(size: int, rules: Rules) -> int:
    """Round a request as `round_size` does: to 512 bytes, or to a division of the power of two below it.

    Args:
        size: in bytes, as it was asked for.
        rules: whose divisions count.
    """
    if size < MIN_BLOCK:
        return MIN_BLOCK
    if rules.divisions:
        interval = min(max(size.bit_length() - 1 - _START, 0), INTERVALS - 1)
        divisions = rules.divisions.get(1 << interval, 0)
        if divisions > 1 and size > MIN_BLOCK * divisions:
            return _next_division(size, divisions)
    return -(-size // MIN_BLOCK) * MIN_BLOCK


def _next_division(size: int, divisions: int) -> int:
    """Round up to the next of `divisions` equal steps from the power of two below `size` to the one above."""
    floor = 1 << (size.bit_length() - 1)
    if size == floor:
        return size
    step = floor >> (divisions.bit_length() - 1)
    if step == 0:
        return floor << 1
    return -(-size // step) * step


def segment_size(size: int, rules: Rules) -> int:
    """Give what `cudaMalloc` is asked for when no free block fits (`get_allocation_size`).

    Args:
        size: the rounded request, in bytes.
        rules: whose `large_segment_bytes` counts.
    """
    if size <= SMALL_SIZE:
        return SMALL_BUFFER
    if size < MIN_LARGE:
        return rules.large_segment_bytes
    return -(-size // ROUND_LARGE) * ROUND_LARGE


def page_size(rules: Rules, *, small: bool) -> int:
    """Give the bytes that an expandable segment is mapped by."""
    return SMALL_BUFFER if small else rules.large_segment_bytes

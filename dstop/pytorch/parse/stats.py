"""What `torch._C._cuda_memoryStats` says of one device, as an Allocator whose figures can be true together."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from dstop.model.allocator import Allocator
from dstop.pytorch.parse.checks import LIMIT, count, mapping, reasons, text

if TYPE_CHECKING:
    from collections.abc import Mapping

NATIVE = "native"
MOST_DEVICES = 64
_MOST_STATS = 2048
_LONGEST_NAME = 120
_DEEPEST = 6
_FIGURES: Mapping[str, str] = {
    "requested_bytes": "requested_bytes.all.current",
    "allocated_bytes": "allocated_bytes.all.current",
    "active_bytes": "active_bytes.all.current",
    "reserved_bytes": "reserved_bytes.all.current",
    "inactive_split_bytes": "inactive_split_bytes.all.current",
    "peak_allocated_bytes": "allocated_bytes.all.peak",
    "peak_reserved_bytes": "reserved_bytes.all.peak",
    "num_alloc_retries": "num_alloc_retries",
    "num_ooms": "num_ooms",
}
"""Field -> its name in `torch.cuda.memory_stats`."""
_FIRST = frozenset(name.partition(".")[0] for name in _FIGURES.values())
_NATIVE_ALONE = frozenset(
    {"requested_bytes", "active_bytes", "inactive_split_bytes", "num_alloc_retries", "num_ooms"}
)
"""What other allocators leave at 0 (CUDAMallocAsyncAllocator.cpp, getDeviceStats)."""
_AT_MOST = (
    ("active_bytes", "reserved_bytes"),
    ("inactive_split_bytes", "reserved_bytes"),
    ("allocated_bytes", "active_bytes"),
    ("allocated_bytes", "reserved_bytes"),
    ("requested_bytes", "active_bytes"),
    ("requested_bytes", "reserved_bytes"),
    ("allocated_bytes", "peak_allocated_bytes"),
    ("reserved_bytes", "peak_reserved_bytes"),
)
"""Which figure cannot be above which: `requested` still counts blocks that another stream uses, `allocated` does not
(CUDACachingAllocator.cpp, free and free_block)."""
_BARE_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def flat_stats(nested: object) -> dict[str, int]:
    """Give nested statistics under the names that `torch.cuda.memory_stats` has: `allocated_bytes.all.peak`.

    Each private pool has a dozen: those that an Allocator is made of come first, lest they fall off the end.
    """
    flat: dict[str, int] = {}
    if isinstance(nested, dict):
        ordered = sorted(nested.items(), key=lambda item: item[0] not in _FIRST)
        _flatten(dict(ordered), "", flat, _DEEPEST)
    return flat


def _flatten(values: dict[str, object], above: str, flat: dict[str, int], depth: int) -> None:
    for key, value in values.items():
        name = _joined(above, key)
        if name is None or len(flat) >= _MOST_STATS:
            continue
        if type(value) is int:
            if -LIMIT < value < LIMIT:
                flat[name] = value  # below 0 is a setting without a limit: `max_split_size`
        elif isinstance(value, dict) and depth > 0:
            _flatten(value, name, flat, depth - 1)


@lru_cache(maxsize=4 * _MOST_STATS)
def _joined(above: str, key: str) -> str | None:
    """Give the name with dots between, the same for every process and step; None for one that cannot be shown."""
    name = f"{above}.{key}" if above else key
    return name if 0 < len(name) <= _LONGEST_NAME and name.isprintable() else None


def parse_device(
    given: object, backend: str | None, before: Mapping[int, Allocator], why: Mapping[str, str] | None = None
) -> Allocator | None:
    """Make an Allocator of one entry of `devices`; None where not even its index can be read.

    Args:
        given: `{index, uuid, stats, unavailable}`.
        backend: the allocator; those that are not PyTorch's own count less.
        before: what is known of the devices already, by index: a hook need not repeat the UUID.
        why: the reasons of the reply, for what no device has.
    """
    entry = mapping(given)
    index = count(entry.get("index"), MOST_DEVICES)
    if index is None:
        return None
    why = {**(why or {}), **reasons(entry.get("unavailable"))}
    uuid = card_uuid(entry.get("uuid"))
    if uuid is None and index in before:
        uuid = before[index].gpu_uuid
    stats = flat_stats(entry.get("stats"))
    figures = {field: count(stats.get(name)) for field, name in _FIGURES.items()}
    missing = why.get("stats", "this PyTorch does not count it" if stats else "the process has not told it")
    absent = {field: why.get(field, missing) for field, value in figures.items() if value is None}
    if backend not in {None, NATIVE}:
        absent |= {
            field: f"the {backend} allocator does not count it"
            for field in _NATIVE_ALONE
            if not figures[field]
        }
    for small, large in _AT_MOST:
        one, other = figures[small], figures[large]
        if small in absent or large in absent or one is None or other is None or one <= other:
            continue
        wrong = large if large.startswith("peak_") else small
        absent[wrong] = _contradiction(small, one, large, other)
    known = {field: None if field in absent else value for field, value in figures.items()}
    if uuid is None:
        absent["gpu_uuid"] = why.get("uuid", "the process does not know the card's UUID")
    return Allocator(index=index, gpu_uuid=uuid, stats=stats, unavailable=absent, **known)


def _contradiction(small: str, one: int, large: str, other: int) -> str:
    return f"the process contradicts itself: {small} {one} above {large} {other}"


def card_uuid(value: object) -> str | None:
    """Give a card's UUID as the driver writes it; PyTorch leaves out `GPU-`."""
    uuid = text(value, 80)
    return f"GPU-{uuid.lower()}" if uuid and _BARE_UUID.fullmatch(uuid) else uuid

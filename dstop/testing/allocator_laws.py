"""The laws of PyTorch's allocator: which of its figures can be above which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.testing.field_laws import field_laws, reason_laws

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.model.allocator import Allocator

_CONTRACT = (
    "gpu_uuid",
    "requested_bytes",
    "allocated_bytes",
    "active_bytes",
    "reserved_bytes",
    "inactive_split_bytes",
    "peak_allocated_bytes",
    "peak_reserved_bytes",
    "num_alloc_retries",
    "num_ooms",
)
_AT_MOST = (
    ("requested_bytes", "active_bytes"),
    ("allocated_bytes", "active_bytes"),
    ("active_bytes", "reserved_bytes"),
    ("inactive_split_bytes", "reserved_bytes"),
    ("allocated_bytes", "peak_allocated_bytes"),
    ("reserved_bytes", "peak_reserved_bytes"),
)
"""`requested_bytes` still counts blocks that another stream uses, `allocated_bytes` does not."""


def allocator_laws(device: Allocator) -> Iterator[str]:
    """Check one device: figures in order, and a reason for each that is absent."""
    yield from field_laws(device)
    yield from reason_laws(device, _CONTRACT, device.unavailable)
    for small, large in _AT_MOST:
        one, other = getattr(device, small), getattr(device, large)
        if one is not None and other is not None and one > other:
            yield f"{small} {one} is above {large} {other}"

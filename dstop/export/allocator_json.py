"""PyTorch's allocator on one device in the shape of the JSON contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dstop.export.values import clean

if TYPE_CHECKING:
    from dstop.model.allocator import Allocator
    from dstop.model.process import GpuProcess

_UNKNOWN = "the process does not tell it"
NOT_TORCH = "needs both the process' memory, from the driver, and what PyTorch has reserved"


def allocator_object(device: Allocator, row: GpuProcess) -> dict[str, Any]:
    """Give what a row of the sample says of its allocator.

    Args:
        device: of the row's process, on the row's card.
        row: for what is not PyTorch's.
    """
    figures: dict[str, Any] = {
        "allocated_bytes": device.allocated_bytes,
        "active_bytes": device.active_bytes,
        "reserved_bytes": device.reserved_bytes,
        "requested_bytes": device.requested_bytes,
        "cached_bytes": device.cached_bytes,
        "inactive_split_bytes": device.inactive_split_bytes,
        "peak_allocated_bytes": device.peak_allocated_bytes,
        "peak_reserved_bytes": device.peak_reserved_bytes,
        "num_alloc_retries": device.num_alloc_retries,
        "num_ooms": device.num_ooms,
        "not_torch_bytes": row.not_torch_bytes,
    }
    return {**figures, "unavailable": absent(figures, device, {"not_torch_bytes": NOT_TORCH})}


def absent(figures: dict[str, Any], device: Allocator, usual: dict[str, str]) -> dict[str, str]:
    """Say why each null is one: what the hook says, else what is usual for it."""
    told = {key: clean(why) for key, why in device.unavailable.items()}
    of_parts = {"cached_bytes": told.get("active_bytes") or told.get("reserved_bytes") or _UNKNOWN}
    reasons = {**of_parts, **usual, **told}
    return {key: reasons.get(key, _UNKNOWN) for key, value in figures.items() if value is None}

"""What `dstop attach PID --once --json` gives: one attached process, device by device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dstop.export.allocator_json import NOT_TORCH, absent
from dstop.export.footprint_json import footprint_object
from dstop.export.json import SCHEMA
from dstop.export.values import clean, finite

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dstop.model.allocator import Allocator
    from dstop.model.guest import Guest
    from dstop.model.process import GpuProcess

_NO_SUMMARY = "not asked for"
_NO_FOOTPRINT = "what the model should need is not known"
_USUAL = {
    "torch_version": "torch is not imported",
    "cuda_version": "torch is not imported, or was built without CUDA",
    "backend": "CUDA is not initialised in the process",
    "allocator_conf": "not set in its environment",
    "rank": "not the rank of a distributed job, as far as its environment says",
    "local_rank": "not the rank of a distributed job, as far as its environment says",
    "world_size": "not the rank of a distributed job, as far as its environment says",
    "stale_s": "the figures are fresh",
}


def attach_document(guest: Guest, rows: Iterable[GpuProcess], summaries: Mapping[int, str]) -> dict[str, Any]:
    """Give the process in the shape of the contract; every null has its reason in the `unavailable` beside it.

    Args:
        guest: the newest answer of its hook.
        rows: of this process, with their allocators; none where no driver lists it.
        summaries: `torch.cuda.memory_summary` by device index.
    """
    by_device = {row.allocator.index: row for row in rows if row.allocator is not None and row.id == guest.id}
    top: dict[str, Any] = {
        "schema": SCHEMA,
        "pid": guest.pid,
        "torch_version": _text(guest.torch_version),
        "cuda_version": _text(guest.cuda_version),
        "python_version": _text(guest.python_version),
        "cuda_initialized": guest.cuda_initialized,
        "backend": _text(guest.backend),
        "allocator_conf": _text(guest.allocator_conf),
        "started_at_s": finite(guest.started_at_s),
        "taken_at_ns": guest.taken_at_ns,
        "stale_s": finite(guest.stale_s),
        "rank": guest.rank,
        "local_rank": guest.local_rank,
        "world_size": guest.world_size,
        "history": guest.history,
        "black_box": guest.black_box,
        "incidents": guest.incidents,
    }
    told = {key: clean(why) for key, why in guest.unavailable.items()}
    missing = {
        key: told.get(key) or _USUAL.get(key, "its hook does not tell it")
        for key, value in top.items()
        if value is None
    }
    no_devices = {"devices": told["devices"]} if not guest.devices and "devices" in told else {}
    return {
        **top,
        "hook": _hook(guest),
        "devices": [_device(device, by_device.get(device.index), summaries) for device in guest.devices],
        "unavailable": {**missing, **no_devices},
    }


def _hook(guest: Guest) -> dict[str, Any]:
    hook = {"version": guest.hook_version, "how": _text(guest.how)}
    return {
        **hook,
        "unavailable": {key: "the hook does not tell it" for key, value in hook.items() if value is None},
    }


def _device(device: Allocator, row: GpuProcess | None, summaries: Mapping[int, str]) -> dict[str, Any]:
    summary = summaries.get(device.index)
    figures: dict[str, Any] = {
        "index": device.index,
        "uuid": _text(device.gpu_uuid),
        "allocated_bytes": device.allocated_bytes,
        "reserved_bytes": device.reserved_bytes,
        "active_bytes": device.active_bytes,
        "cached_bytes": device.cached_bytes,
        "inactive_split_bytes": device.inactive_split_bytes,
        "requested_bytes": device.requested_bytes,
        "num_alloc_retries": device.num_alloc_retries,
        "num_ooms": device.num_ooms,
        "non_torch_bytes": None if row is None else row.not_torch_bytes,
        "gpu_memory_bytes": None if row is None else row.gpu_memory_bytes,
        "gpu_index": None if row is None else row.gpu_index,
        "peak_allocated_bytes": device.peak_allocated_bytes,
        "peak_reserved_bytes": device.peak_reserved_bytes,
        "summary": _text(summary),
        "footprint": None if row is None or row.expectation is None else footprint_object(row.expectation),
    }
    unlisted = "no driver that dstop can ask lists the process on this card"
    usual = {
        "uuid": device.unavailable.get("gpu_uuid", "the process does not know the card's UUID"),
        "non_torch_bytes": unlisted if row is None else NOT_TORCH,
        "gpu_memory_bytes": unlisted if row is None else "the driver gives no memory figure for this process",
        "gpu_index": unlisted,
        "summary": _NO_SUMMARY,
        "footprint": unlisted if row is None else clean(row.unavailable.get("footprint", _NO_FOOTPRINT)),
    }
    return {
        **figures,
        "stats": dict(sorted(device.stats.items())),
        "unavailable": absent(figures, device, usual),
    }


def _text(text: str | None) -> str | None:
    return None if text is None else clean(text)

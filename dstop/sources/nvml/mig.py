"""MIG slices of a card, and their memory. The layout may change while we look, so it is read repeatedly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dstop.model.gpu import MigInstance
from dstop.sources.nvml.memory import read_memory
from dstop.sources.nvml.reasons import NOT_FOUND, Unavailable, is_absent

if TYPE_CHECKING:
    from dstop.sources.nvml.binding import Driver

_MAX_SLICES = 64


class Slice(NamedTuple):
    """What of a MIG instance does not change while it exists."""

    handle: object
    gpu_instance_id: int
    compute_instance_id: int
    uuid: str | Unavailable
    profile: str | Unavailable


def read_layout(driver: Driver, handle: object) -> tuple[Slice, ...]:
    """Find the slices of a card that has MIG on."""
    most = driver.ask("nvmlDeviceGetMaxMigDeviceCount", handle)
    count = 0 if is_absent(most) else max(0, min(int(most), _MAX_SLICES))
    found = []
    for index in range(count):
        slice_handle = driver.ask("nvmlDeviceGetMigDeviceHandleByIndex", handle, index)
        if is_absent(slice_handle):
            # Places of the table may be empty before the last that is taken.
            if slice_handle.code == NOT_FOUND:
                continue
            break
        one = _slice(driver, slice_handle)
        if one is not None:
            found.append(one)
    return tuple(found)


def _slice(driver: Driver, handle: object) -> Slice | None:
    gpu_instance: Any = driver.ask("nvmlDeviceGetGpuInstanceId", handle)
    compute_instance: Any = driver.ask("nvmlDeviceGetComputeInstanceId", handle)
    if is_absent(gpu_instance) or is_absent(compute_instance):
        return None
    name = driver.text("nvmlDeviceGetName", handle)
    profile: str | Unavailable = name
    if isinstance(name, str):
        profile = name.rpartition(" MIG ")[2] if " MIG " in name else Unavailable("the name holds no profile")
    uuid = driver.text("nvmlDeviceGetUUID", handle)
    return Slice(handle, int(gpu_instance), int(compute_instance), uuid, profile)


def read_instances(driver: Driver, slices: tuple[Slice, ...]) -> tuple[MigInstance, ...]:
    """Read the memory of each slice."""
    return tuple(_instance(driver, one) for one in slices)


def _instance(driver: Driver, one: Slice) -> MigInstance:
    why: dict[str, str] = {}
    memory = read_memory(driver, one.handle)
    if isinstance(memory, Unavailable):
        for name in ("total", "used", "free", "reserved"):
            why[f"memory_{name}_bytes"] = memory.reason
        total = used = free = reserved = None
    else:
        total, used, free, reserved = memory
        if reserved is None:
            why["memory_reserved_bytes"] = "this driver does not tell it apart from used memory"
    for field, value in (("uuid", one.uuid), ("profile", one.profile)):
        if isinstance(value, Unavailable):
            why[field] = value.reason
    return MigInstance(
        gpu_instance_id=one.gpu_instance_id,
        compute_instance_id=one.compute_instance_id,
        uuid=one.uuid if isinstance(one.uuid, str) else None,
        profile=one.profile if isinstance(one.profile, str) else None,
        memory_total_bytes=total,
        memory_used_bytes=used,
        memory_free_bytes=free,
        memory_reserved_bytes=reserved,
        unavailable=why,
    )

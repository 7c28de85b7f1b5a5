"""How full the card is, or the slice: what programs hold, apart from what the driver keeps for itself."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from dstop.sources.nvml.reasons import (
    FUNCTION_NOT_FOUND,
    NOT_SUPPORTED,
    VERSION_MISMATCH,
    Unavailable,
    absent,
    is_absent,
)

if TYPE_CHECKING:
    from dstop.sources.nvml.binding import Driver
    from dstop.sources.nvml.figures import Figures

UNIFIED = "unified memory: the total is the host's, used is the sum over the processes"
_OLD = "this driver does not tell it apart from used memory (510 and newer do)"
_MAX_BYTES = 2**50


class _InfoV1(ctypes.Structure):
    """nvml.h, nvmlMemory_t."""

    _fields_: ClassVar = [(name, ctypes.c_ulonglong) for name in ("total", "free", "used")]


class _InfoV2(ctypes.Structure):
    """nvml.h, nvmlMemory_v2_t."""

    _fields_: ClassVar = [
        ("version", ctypes.c_uint),
        *((name, ctypes.c_ulonglong) for name in ("total", "reserved", "free", "used")),
    ]


_VERSION_2 = ctypes.sizeof(_InfoV2) | 2 << 24


class Memory(NamedTuple):
    """Bytes of a card or slice. `reserved` is None when the driver counts it as used."""

    total: int
    used: int
    free: int
    reserved: int | None


def read_memory(driver: Driver, handle: object) -> Memory | Unavailable:
    """Read memory info v2, or v1 of a driver that has no v2.

    A board without memory of its own gives Unavailable with NOT_SUPPORTED: such drivers refuse, or say 0.
    """
    info: _InfoV1 | _InfoV2 = _InfoV2(version=_VERSION_2)
    code = driver.raw("nvmlDeviceGetMemoryInfo_v2", handle, ctypes.byref(info))
    reserved: int | None = None if code else int(info.reserved)
    if code in (FUNCTION_NOT_FOUND, VERSION_MISMATCH):
        info = _InfoV1()
        code = driver.raw("nvmlDeviceGetMemoryInfo", handle, ctypes.byref(info))
    if code:
        return absent(code)
    total, used, free = int(info.total), int(info.used), int(info.free)
    if total == 0:
        return Unavailable("the driver gives no memory of the board's own", NOT_SUPPORTED)
    if total > _MAX_BYTES or used > total or free > total or (reserved or 0) > total:
        return Unavailable(f"the driver said {used} used and {free} free of {total} bytes")
    return Memory(total, used, free, reserved)


def put_memory(figures: Figures, memory: Memory | Unavailable) -> None:
    """Enter a card's memory into its figures, as unified where the board has none of its own."""
    names = ("memory_total_bytes", "memory_used_bytes", "memory_free_bytes", "memory_reserved_bytes")
    figures.values["unified_memory"] = is_absent(memory) and memory.code == NOT_SUPPORTED
    if isinstance(memory, Unavailable):
        for name in names:
            figures.miss(name, memory.reason)
        if figures.values["unified_memory"]:
            figures.miss("memory_reserved_bytes", UNIFIED)
        return
    for name, value in zip(names, memory, strict=True):
        if value is None:
            figures.miss(name, _OLD)
        else:
            figures.put(name, value)

"""What NVML's error codes mean to the person who reads them.

Codes and names: nvml.h, `nvmlReturn_t`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeGuard

from dstop.model.value import Value

UNINITIALIZED, NOT_SUPPORTED, NO_PERMISSION, NOT_FOUND, INSUFFICIENT_SIZE = 1, 3, 4, 6, 7
INSUFFICIENT_POWER, DRIVER_NOT_LOADED, TIMEOUT, LIBRARY_NOT_FOUND, FUNCTION_NOT_FOUND = 8, 9, 10, 12, 13
INVALID_ARGUMENT, GPU_IS_LOST, RESET_REQUIRED, OPERATING_SYSTEM, LIB_RM_MISMATCH = 2, 15, 16, 17, 18
VERSION_MISMATCH, UNKNOWN = 25, 999

GARBLED = -1
"""Ours: the answer came, and made no sense."""

DRIVER_GONE = frozenset({UNINITIALIZED, DRIVER_NOT_LOADED, LIB_RM_MISMATCH})
"""Codes that speak of the driver as a whole, whichever GPU was asked."""

MILD = frozenset({NOT_SUPPORTED, NO_PERMISSION, NOT_FOUND, FUNCTION_NOT_FOUND, VERSION_MISMATCH, GARBLED})
"""Codes that speak of one figure; any other, for all figures of a GPU at once, speaks of the GPU."""

_WORDS = {
    UNINITIALIZED: "the driver was unloaded",
    INVALID_ARGUMENT: "the driver does not know this figure for this board",
    NOT_SUPPORTED: "not supported on this board",
    NO_PERMISSION: "no permission (root only)",
    NOT_FOUND: "the driver has nothing to say of it now",
    INSUFFICIENT_SIZE: "the driver's answer did not fit",
    INSUFFICIENT_POWER: "the GPU's power cables are not attached properly",
    DRIVER_NOT_LOADED: "the NVIDIA kernel driver is not loaded",
    TIMEOUT: "the driver gave up waiting for the GPU",
    11: "the kernel found an interrupt issue with the GPU",
    FUNCTION_NOT_FOUND: "this driver is too old for it",
    14: "the GPU's infoROM is corrupted",
    GPU_IS_LOST: "GPU is lost (fell off the bus); a reboot or a reset by its host brings it back",
    RESET_REQUIRED: "GPU needs a reset (nvidia-smi -r, or a reboot)",
    OPERATING_SYSTEM: "the operating system or its cgroup blocks access to the GPU",
    LIB_RM_MISMATCH: "driver and NVML library are of different versions",
    19: "in use by another client",
    20: "the driver ran out of memory",
    21: "the driver has no data for it yet",
    22: "not offered by a vGPU with ECC off",
    VERSION_MISMATCH: "this driver is too old for it",
    27: "the driver is not ready to tell",
    28: "the driver no longer finds this GPU",
    GARBLED: "the driver's answer made no sense",
    UNKNOWN: "the driver reports an unknown error",
}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Unavailable(Value):
    """Why a figure could not be had: the code for decisions, the words for people."""

    reason: str
    code: int = GARBLED


def reason_for(code: int) -> str:
    """Say an error code in plain words; one that is new to us keeps its number."""
    return _WORDS.get(code) or f"the driver answers with error {code}"


def absent(code: int) -> Unavailable:
    """Give the value that stands for a figure the driver refused."""
    return _COMMON.get(code) or Unavailable(reason_for(code), code)


def is_absent(value: object) -> TypeGuard[Unavailable]:
    """Tell a refusal from a figure."""
    return isinstance(value, Unavailable)


_COMMON = {code: Unavailable(words, code) for code, words in _WORDS.items()}


class GpuFaultError(Exception):
    """Nothing can be read of this GPU now; its row becomes a tombstone with this reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class DriverGoneError(Exception):
    """The driver as a whole went away while it was being read."""

    def __init__(self, code: int) -> None:
        super().__init__(reason_for(code))
        self.code = code


class ClosedError(Exception):
    """The source was closed while a lane was about to ask: the lane ends."""

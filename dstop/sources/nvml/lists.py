"""The driver's process lists by one call each into a buffer that is kept.

pynvml asks twice (size, then rows) and builds an object with four attributes a row by reflection; at 16 GPUs
of 64 processes that alone is most of the budget.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from dstop.sources.nvml.layouts import FILL, ROW_BYTES_MAX, Parsed, parse_rows
from dstop.sources.nvml.reasons import (
    FUNCTION_NOT_FOUND,
    GARBLED,
    INSUFFICIENT_SIZE,
    Unavailable,
    absent,
)

if TYPE_CHECKING:
    from dstop.sources.nvml.binding import Driver

COMPUTE, GRAPHICS, MPS = "Compute", "Graphics", "MPSCompute"
_START_ROWS, _MAX_ROWS, _TRIES = 64, 65536, 4


class ProcessLists:
    """The lists of one GPU; one thread at a time."""

    def __init__(self, driver: Driver, *, pid_max: int) -> None:
        self._driver = driver
        self._pid_max = pid_max
        self._versions: dict[str, int] = {}
        self._count = ctypes.c_uint(0)
        self._resize(_START_ROWS)

    def read(self, handle: object, kind: str, memory_bytes: int | None) -> Parsed | Unavailable:
        """Read the list of a kind (COMPUTE, GRAPHICS or MPS); the reason when the driver gives none."""
        code = GARBLED
        for version in self._candidates(kind):
            code = self._call(_symbol(kind, version), handle)
            if code == FUNCTION_NOT_FOUND:
                continue
            self._versions[kind] = version
            if code:
                return absent(code)
            return parse_rows(
                self._view, self._count.value, version, memory_bytes=memory_bytes, pid_max=self._pid_max
            )
        return absent(code)

    def _candidates(self, kind: str) -> tuple[int, ...]:
        known = self._versions.get(kind)
        return (3, 2, 1) if known is None else (known,)

    def _call(self, symbol: str, handle: object) -> int:
        """Call into the buffer, growing it until the list fits."""
        for _ in range(_TRIES):
            ctypes.memset(self._buffer, FILL, self._rows * ROW_BYTES_MAX)
            self._count.value = self._rows
            code = self._driver.raw(symbol, handle, self._count_ref, self._buffer)
            if code != INSUFFICIENT_SIZE:
                return code
            wanted = max(self._count.value, self._rows) * 2
            if wanted > _MAX_ROWS:
                return code
            self._resize(wanted)
        return INSUFFICIENT_SIZE

    def _resize(self, rows: int) -> None:
        self._rows = rows
        # Always room for the widest row: the driver writes its own struct, whatever we think it is.
        self._buffer = (ctypes.c_char * (rows * ROW_BYTES_MAX))()
        self._view = memoryview(self._buffer).cast("B")
        self._count_ref = ctypes.byref(self._count)


def _symbol(kind: str, version: int) -> str:
    return f"nvmlDeviceGet{kind}RunningProcesses{'' if version == 1 else f'_v{version}'}"

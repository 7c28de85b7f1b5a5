"""NVML's numbered figures (nvml.h, `NVML_FI_*`), many by one call."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from dstop.sources.nvml.reasons import GARBLED, Unavailable, absent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.sources.nvml.binding import Driver

MEMORY_TEMPERATURE = 82
NVLINK_COUNT = 91
NVLINK_DATA_TX, NVLINK_DATA_RX = 138, 139
"""KiB since the links came up; the scope is a link, or ALL_LINKS."""
ALL_LINKS = 0xFFFFFFFF
_KINDS = {0: "dVal", 1: "uiVal", 2: "ulVal", 3: "ullVal", 4: "sllVal", 5: "siVal", 6: "usVal"}


def read_fields(driver: Driver, handle: object, wanted: Sequence[tuple[int, int]]) -> list[Any]:
    """Read (field, scope) pairs; give a number or Unavailable for each, in order."""
    kind = driver.nvml.c_nvmlFieldValue_t
    # One more than asked for: with NVLink fields some drivers touch the element after the last.
    values = (kind * (len(wanted) + 1))()
    for value, (field, scope) in zip(values, wanted, strict=False):
        value.fieldId, value.scopeId = field, scope
    code = driver.raw("nvmlDeviceGetFieldValues", handle, ctypes.c_int(len(wanted)), values)
    if code:
        return [absent(code)] * len(wanted)
    return [_number(value) for value in values[: len(wanted)]]


def _number(value: Any) -> Any:
    if value.nvmlReturn:
        return absent(int(value.nvmlReturn))
    name = _KINDS.get(int(value.valueType))
    number = getattr(value.value, name, None) if name else None
    return Unavailable("the driver's answer is of no known kind", GARBLED) if number is None else number

"""Bytes of an element in each number format."""

from __future__ import annotations

from dstop.errors import PlanError

ELEMENT_BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "int4": 0.5}


def element_bytes(dtype: str, field: str) -> float:
    """Give the bytes of one element of a plain format.

    Raises:
        PlanError: the format is not known; `field` is named.
    """
    try:
        return ELEMENT_BYTES[dtype]
    except KeyError:
        raise PlanError(
            f"{field}: no format {dtype!r}", fix=f"use one of {', '.join(ELEMENT_BYTES)}"
        ) from None

"""Values made fit for other programs: numbers that are finite, texts that are Unicode."""

from __future__ import annotations

import math


def finite(value: float | None) -> float | None:
    """Give the number, or None for NaN and infinity, which JSON cannot say and no reading can be."""
    return None if value is None or not math.isfinite(value) else value


def clean(text: str) -> str:
    """Give the text without lone surrogates: a command line is bytes, and strict readers refuse them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text

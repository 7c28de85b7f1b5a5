"""The laws that one field of a value can break by itself."""

from __future__ import annotations

from dataclasses import fields
from math import isfinite
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WHOLE = 100
"""Percent."""
_MOST = {
    "temperature_c": 150,
    "temperature_memory_c": 150,
    "power_mw": 5_000_000,
    "power_limit_mw": 5_000_000,
    "clock_sm_mhz": 10_000,
    "clock_memory_mhz": 20_000,
    "performance_state": 15,
}
"""Above these a figure is a sentinel or of another unit, not a measurement."""
_WORDS_FOR_NOTHING = frozenset({"", "n/a", "[n/a]", "none", "null", "nan", "unknown", "[not supported]"})
_MAY_SAY_NONE = frozenset({"virtualization"})
_BELOW_ZERO = frozenset({"temperature_c", "temperature_memory_c"})


def reason_laws(value: object, names: tuple[str, ...], unavailable: Mapping[str, str]) -> Iterator[str]:
    """Check that what is absent says why, and that what is there does not."""
    for name in names:
        if getattr(value, name) is None and not unavailable.get(name, "").strip():
            yield f"{name} is None without a reason"
    for name in unavailable:
        if getattr(value, name, None) is not None:
            yield f"{name} has a value and a reason not to have one"


def field_laws(value: object, where: str = "") -> Iterator[str]:
    """Check every field by its type and its unit: finite, not below 0, free of stand-ins for nothing."""
    for field in fields(value):  # type: ignore[arg-type] # every value of the model is a dataclass
        name, held = field.name, getattr(value, field.name)
        if isinstance(held, bool) or held is None:
            continue
        if isinstance(held, int | float):
            yield from (f"{where}{why}" for why in _number(name, held))
        elif isinstance(held, str):
            if not held.isprintable():
                yield f"{where}{name} has control characters: {held!r}"
            if name not in _MAY_SAY_NONE and held.strip().lower() in _WORDS_FOR_NOTHING:
                yield f"{where}{name} is {held!r} where None and a reason belong"
        elif isinstance(held, tuple):
            for part in held:
                if isinstance(part, str) and not part.isprintable():
                    yield f"{where}{name} has control characters: {part!r}"


def _number(name: str, value: float) -> Iterator[str]:
    if not isfinite(value):
        yield f"{name} is {value}"
    elif value < 0 and name not in _BELOW_ZERO:
        yield f"{name} is below zero: {value}"
    elif value > _MOST.get(name, value):
        yield f"{name} is above what it can be: {value}"
    elif name.endswith("_pct") and value > WHOLE and name not in {"cpu_pct", "fan_pct"}:
        yield f"{name} is above 100: {value}"

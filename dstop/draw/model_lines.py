"""What lives in the process: modules, optimizers, configuration, as the hook counted them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dstop.draw.detail import heading, unavailable_lines
from dstop.draw.line import clean, fit, fit_line
from dstop.units import bytes_text

if TYPE_CHECKING:
    from dstop.draw.line import Line
    from dstop.model.segment import ModelFacts

_NAME = 22
_BYTES_BY_NAME = frozenset({"dtypes", "state_dtypes", "devices"})
"""Fields that say, by name, how many bytes there are of each."""
_LONGEST = 400
"""Characters of a value of a configuration: more than any screen shows."""


def model_lines(facts: ModelFacts, width: int) -> list[Line]:
    """Draw every module and optimizer with their figures, then the configuration."""
    lines: list[Line] = []
    for kind, items in (("module", facts.models), ("optimizer", facts.optimizers)):
        for item in items:
            name = item.get("class", "?")
            lines.append(heading(f"{kind} {clean(str(name))}", width))
            lines += [_pair(key, value, width) for key, value in item.items() if key != "class"]
    if not facts.models:
        lines.append(fit_line(((" no module is alive in the process", "dim"),), width))
    total = sum(_bytes_of(facts.models) + _bytes_of(facts.optimizers))
    if total:
        lines.append(
            heading(f"together {bytes_text(total)} of parameters, gradients, buffers and states", width)
        )
    if facts.config is not None:
        lines.append(heading("configuration", width))
        lines += [_pair(key, value, width) for key, value in sorted(facts.config.items())]
    if facts.unavailable:
        lines += [heading("not available, and why", width), *unavailable_lines(facts.unavailable, width)]
    return lines


def _bytes_of(items: Sequence[Mapping[str, object]]) -> list[int]:
    return [
        value
        for item in items
        for key, value in item.items()
        if key.endswith("_bytes") and isinstance(value, int) and not isinstance(value, bool)
    ]


def _pair(key: str, value: object, width: int) -> Line:
    name = clean(key.replace("_bytes", "_memory").replace("_", " "))
    text = clean(_text(key, value)[:_LONGEST])
    return fit_line(((fit(f"   {name}", _NAME) + " ", "label"), (text, "")), width)


def _text(key: str, value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return bytes_text(value) if key.endswith("_bytes") else f"{value:,}"
    if isinstance(value, Mapping):
        unit = "_bytes" if key in _BYTES_BY_NAME else ""
        return ", ".join(f"{name} {_text(unit, inner)}" for name, inner in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return ", ".join(_text("", inner) for inner in value)
    return str(value)

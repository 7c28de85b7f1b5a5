"""What one rung of the ladder says of a process: a model, and fields of a SPEC."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Rung = Literal["hook", "engine log", "command line", "environment", "user"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Clues(Value):
    """All that one rung knows. A field that is not in it is not said."""

    rung: Rung
    model: str | None = None
    """As it is named: of the catalog, of Hugging Face, or a path in the process' own file system."""
    tier: str | None = None
    """A tier of the sizing guide, by its name."""
    config: Mapping[str, object] | None = None
    """The dictionary of its config.json, where the rung has it."""
    fields: Mapping[str, object] = field(default_factory=dict)
    """Of a SPEC; those of the layout as `parallel.tp`."""
    reported: Mapping[str, int] = field(default_factory=dict)
    """Part -> bytes that the process itself has told: they stand in place of an estimate."""
    why_not: str = ""
    """Why there can be no expectation whatever the other rungs say, such as a model on several kinds of devices."""


def settled(rungs: Iterable[Clues]) -> tuple[dict[str, object], dict[str, str]]:
    """Give the fields of all rungs and where each is from; what a higher rung says, a lower one does not change."""
    fields: dict[str, object] = {}
    sources: dict[str, str] = {}
    for rung in rungs:
        for name, value in rung.fields.items():
            if value is not None and name not in fields:
                fields[name] = value
                sources[name] = rung.rung
    return fields, sources


def as_spec(fields: Mapping[str, object]) -> dict[str, object]:
    """Give the fields in the shape of a SPEC: those of the layout in a table of their own."""
    spec: dict[str, object] = {name: value for name, value in fields.items() if "." not in name}
    layout = {
        name.removeprefix("parallel."): value
        for name, value in fields.items()
        if name.startswith("parallel.")
    }
    if layout:
        spec["parallel"] = layout
    return spec

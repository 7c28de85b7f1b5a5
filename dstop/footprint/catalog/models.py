"""Models by name: a file a vendor in `models/`, an entry a model, with the fields of its config.json."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dstop.errors import PlanError
from dstop.footprint.architecture.config import read_config
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.footprint.architecture.values import Architecture

MOST_NAME = 120
NAMES = re.compile(r'^name = "(.+)"$', re.MULTILINE)
SAME_SHAPE = re.compile(r"-(instruct|chat|base|it|hf|thinking|bf16|\d{4}|v0\.\d)$")
"""Ends of names that say how a model was trained on, or when: its shapes are those of the name before."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ModelEntry(Value):
    """A model of the catalog, for listings."""

    name: str
    aliases: tuple[str, ...]
    published: str
    """Total parameters as its authors or its files' listing give them: `671B`."""
    published_active: str
    """Parameters that one token passes through; empty where nobody says it or all of them do."""
    total_parameters: int
    """As dstop counts them; 0 where the entry is refused."""
    active_parameters: int
    context: int | None
    source: str
    note: str = ""
    refused: str = ""
    """What is not known of it, so that no plan can be made."""


def find_model(name: str) -> Architecture:
    """Give a model by name, alias or `organization/name`, in any case.

    Ends such as `-instruct` may be left out or added: they do not change a shape.

    Raises:
        PlanError: there is none of that name, the nearest are given; or what is known of it is not enough.
    """
    asked = key(name)
    while True:
        found = _entry(asked)
        if found is not None:
            return _read(found)
        shorter = SAME_SHAPE.sub("", asked)
        if shorter == asked:
            raise _unknown(name)
        asked = shorter


def model_names() -> tuple[ModelEntry, ...]:
    """Give every model of the catalog, vendor by vendor."""
    return tuple(_listed(entry) for file in _texts() for entry in _entries(file))


def key(name: str) -> str:
    """Give the form in which names are compared: without the organization, in lower case, with hyphens."""
    last = name[:MOST_NAME].strip().rstrip("/").rpartition("/")[2].casefold()
    return re.sub(r"[\s_:]+", "-", last).removeprefix("meta-")


@cache
def _texts() -> Mapping[str, str]:
    """Give the text of each file: they are small, and to parse one takes longer than to read them all."""
    folder = Path(__file__).with_name("models")
    return {file.name: file.read_text("utf-8") for file in sorted(folder.glob("*.toml"))}


@cache
def _entries(file: str) -> list[dict[str, Any]]:
    """Parse one file; `like` copies the config of another entry of it, `config` then changes fields."""
    import tomllib  # noqa: PLC0415 - only for those who name a model

    entries: list[dict[str, Any]] = tomllib.loads(_texts()[file])["model"]
    by_name = {entry["name"]: entry for entry in entries}
    for entry in entries:
        base = by_name[entry["like"]]["config"] if "like" in entry else {}
        entry["config"] = {**base, **entry.get("config", {})}
    return entries


def _entry(asked: str) -> dict[str, Any] | None:
    """Find an entry, parsing only files in whose text the name stands."""
    for file, text in _texts().items():
        if f'"{asked}"' not in text.casefold():
            continue
        for entry in _entries(file):
            if asked in {key(entry["name"]), *entry.get("aliases", ())}:
                return entry
    return None


def _read(entry: Mapping[str, Any]) -> Architecture:
    if "refused" in entry:
        raise PlanError(
            f"{entry['name']}: {entry['refused']}",
            fix="plan a model whose shapes are published, or a text decoder by its config.json",
        )
    config = {**entry["config"]}
    if "context" in entry:
        config.setdefault("max_position_embeddings", entry["context"])
    model = read_config(config, entry["name"])
    return replace(model, notes=(entry["note"],)) if "note" in entry else model


def _listed(entry: Mapping[str, Any]) -> ModelEntry:
    model = None if "refused" in entry else _read(entry)
    return ModelEntry(
        name=entry["name"],
        aliases=tuple(entry.get("aliases", ())),
        published=entry["published"],
        published_active=entry.get("active", ""),
        total_parameters=model.total_parameters if model else 0,
        active_parameters=model.active_parameters if model else 0,
        context=entry.get("context"),
        source=entry["source"],
        note=entry.get("note", ""),
        refused=entry.get("refused", ""),
    )


def _unknown(name: str) -> PlanError:
    from difflib import get_close_matches  # noqa: PLC0415 - only for names that are not there

    shown = "".join(char if char.isprintable() else "?" for char in name[:MOST_NAME])
    names = {
        key(found): found
        for text in _texts().values()
        for found in re.findall(r'^name = "(.+)"$', text, re.MULTILINE)
    }
    near = [names[found] for found in get_close_matches(key(name), names, 3, 0.5)]
    fix = f"did you mean {', '.join(near)}?" if near else "use a name that dstop knows, or a config.json"
    return PlanError(f"model: {shown!r} is not in the catalog", fix=fix)

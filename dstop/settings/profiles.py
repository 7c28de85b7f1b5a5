"""What the user says of models that dstop cannot know by itself: `[[footprint]]` of the configuration file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_PROFILES = 256
_MOST_FIELDS = 64
_MOST_CHARS = 1000
_DEEPEST = 3
_OWN = ("match", "model", "tier", "log")
_EXAMPLE = '{match = "train.py", model = "deepseek-v2-lite", phase = "training", batch = 2}'


class _Words(tuple[str, ...]):
    """A list of texts, frozen, and told from a table that is."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Profile(Value):
    """One entry: which processes it is about, and what they are."""

    match: str
    """Part of the command line, in any case."""
    model: str | None = None
    """A name of the catalog, or the folder of a config.json."""
    tier: str | None = None
    """A tier of the sizing guide, where no model is named."""
    log: str | None = None
    """A file with the engine's own log."""
    fields: tuple[tuple[str, object], ...] = ()
    """Fields of a SPEC; those of `parallel` as a tuple of pairs in turn."""

    def fits(self, cmdline: Sequence[str]) -> bool:
        """Whether a process with this command line is meant."""
        return self.match.casefold() in " ".join(cmdline)[: 64 * _MOST_CHARS].casefold()

    def as_table(self) -> dict[str, object]:
        """Give it as the configuration file has it."""
        own = {name: getattr(self, name) for name in _OWN}
        table: dict[str, object] = {name: value for name, value in own.items() if value is not None}
        return table | _thawed(self.fields)


def parse_profiles(value: object) -> tuple[Profile, ...]:
    """Check the entries.

    Raises:
        ValueError: with words that say what an entry must be.
    """
    if not isinstance(value, list | tuple) or not all(isinstance(entry, dict | Profile) for entry in value):
        raise ValueError(f"must be tables such as {_EXAMPLE}")
    if len(value) > MOST_PROFILES:
        raise ValueError(f"must be {MOST_PROFILES} entries at most")
    return tuple(entry if isinstance(entry, Profile) else _profile(entry) for entry in value)


def _profile(entry: dict[str, object]) -> Profile:
    if not isinstance(entry.get("match"), str) or not str(entry["match"]).strip():
        raise ValueError(f"needs `match`, a part of the command line: {_EXAMPLE}")
    if len(entry) > _MOST_FIELDS:
        raise ValueError(f"must have {_MOST_FIELDS} fields at most")
    for name in _OWN:
        text = entry.get(name)
        if text is not None and not (
            isinstance(text, str) and len(text) <= _MOST_CHARS and text.isprintable()
        ):
            raise ValueError(f"`{name}` must be a printable text of at most {_MOST_CHARS} characters")
    rest = {name: value for name, value in entry.items() if name not in _OWN}
    if not rest and not any(entry.get(name) for name in _OWN[1:]):
        raise ValueError(f"says nothing of what matches {entry['match']!r}: name a model, a tier or a log")
    own = {name: entry.get(name) for name in _OWN[1:]}
    return Profile(match=str(entry["match"]), fields=_frozen(rest, 0), **own)  # type: ignore[arg-type]  # texts, checked above


def _frozen(table: dict[str, object], depth: int) -> tuple[tuple[str, object], ...]:
    if depth > _DEEPEST:
        raise ValueError("has tables within tables within tables")
    return tuple(
        (name, _frozen(value, depth + 1) if isinstance(value, dict) else _plain(name, value))
        for name, value in table.items()
    )


def _plain(name: str, value: object) -> object:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return _Words(value)
    if isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"`{name}` must be a text, a number, true, false or a list of texts")


def _thawed(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    return {name: _plainly(value) for name, value in pairs}


def _plainly(value: object) -> object:
    if isinstance(value, _Words):
        return list(value)
    return _thawed(value) if isinstance(value, tuple) else value

"""Reads the catalog's files, and finds an entry by any of its names."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from dstop.errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Entry = TypeVar("Entry")

MOST_NAME = 80
_MOST_SUGGESTED = 8
_NAME = re.compile(r'^(?:name|short) = "(.+)"$', re.MULTILINE)
_ALIASES = re.compile(r"^aliases = \[(.+)\]$", re.MULTILINE)
_MAKERS = frozenset({"nvidia", "amd", "geforce", "instinct", "tesla", "gpu", "graphics"})


@cache
def blocks(name: str) -> tuple[str, ...]:
    """Give the text of each entry of one file of the catalog, and first what is before them, once a process.

    Entries are parsed one by one, when they are wanted: to parse all takes ten times as long as to read them.
    """
    path = f"{__file__.removesuffix('entries.py')}{name}.toml"
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib and importlib.resources cost 30 ms of start
        return tuple(re.split(r"(?m)^\[\[\w+\]\]$", file.read()))


@cache
def parsed(block: str) -> dict[str, Any]:
    """Parse the text of one entry."""
    import tomllib  # noqa: PLC0415 - 10 ms, for those who name a GPU or a tier

    return tomllib.loads(block)


def names_in(block: str) -> list[str]:
    """Give the names in the text of an entry: its own, what people type, and aliases."""
    aliases = _ALIASES.search(block)
    return _NAME.findall(block) + (re.findall(r'"([^"]+)"', aliases[1]) if aliases else [])


def key(name: str) -> str:
    """Give the form in which names are compared: `NVIDIA A100-SXM4-80GB`, `a100 sxm4 80G` are one."""
    words = "".join(char if char.isalnum() else " " for char in name[:MOST_NAME].casefold()).split()
    return "".join(_bare(word) for word in words if word not in _MAKERS)


def _bare(word: str) -> str:
    """Leave out the unit of a size: 80gb, 80g and 80 are one."""
    for unit in ("gib", "gb", "g"):
        if word.endswith(unit) and word.removesuffix(unit).isdecimal():
            return word.removesuffix(unit)
    return word


def find(name: str, known: Mapping[str, Entry], what: str, label: Callable[[Entry], str]) -> Entry:
    """Give the entry of a name.

    Args:
        name: what somebody wrote.
        known: entries by the `key` of each of their names.
        what: what they are, for the sentence: `GPU`, `server`.
        label: gives the name by which an entry is suggested.

    Raises:
        PlanError: there is none; the nearest is given, else what there is.
    """
    asked = key(name)
    found = known.get(asked)
    if found is not None:
        return found
    shown = "".join(char if char.isprintable() else "?" for char in name[:MOST_NAME])
    raise PlanError(
        f"the {what} {shown!r} is not in the catalog",
        fix=_suggestion(asked, {one: label(entry) for one, entry in known.items()}),
    )


def _suggestion(asked: str, labels: Mapping[str, str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - 5 ms, for a mistake alone

    begun = [one for one in labels if asked and one.startswith(asked)]
    near = begun or get_close_matches(asked, labels, 1, 0.6)
    if near:
        return f"did you mean {labels[near[0]]}?"
    every = tuple(dict.fromkeys(labels.values()))
    more = f" and {len(every) - _MOST_SUGGESTED} more" if len(every) > _MOST_SUGGESTED else ""
    return f"known are {', '.join(every[:_MOST_SUGGESTED])}{more}"

"""The options of a command line, by name, whatever its dashes: what programs make of `--max-model-len=32k`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MOST_WORDS = 4096
_LONGEST_NUMBER = 16
_SCALES = {"k": 10**3, "m": 10**6, "g": 10**9, "K": 2**10, "M": 2**20, "G": 2**30}
"""vLLM's `human_readable_int`: small letters are decimal, capitals binary."""
_YES = frozenset({"", "1", "true", "yes", "on", "y", "t"})
_NO = frozenset({"0", "false", "no", "off", "n", "f"})

Options = dict[str, tuple[str, ...]]
"""Name, with underscores and without dashes -> the words behind it; empty for a flag."""


def options_of(arguments: Sequence[str]) -> Options:
    """Read `--name value`, `--name=value`, `-tp 8`, `--flag`, `--list a b c` and Hydra's `group.name=value`.

    Of an option that comes twice the last counts, as for argparse. Words that belong to no option are under `""`.
    """
    found: Options = {}
    name = ""
    for word in arguments[:MOST_WORDS]:
        if word.startswith("-") and not _is_negative(word):
            head, equals, value = word.lstrip("-").partition("=")
            name = _plain(head)
            found[name] = (value,) if equals else ()
            if equals:
                name = ""
        elif name:
            found[name] = (*found[name], word)
        else:
            head, equals, value = word.lstrip("+").partition("=")
            if equals and head.replace(".", "").replace("_", "").isalnum():
                found[_plain(head)] = (value,)
            else:
                found[""] = (*found.get("", ()), word)
    return found


def _plain(name: str) -> str:
    return name.replace("-", "_")


def _is_negative(word: str) -> bool:
    return word[1:2].isdigit() or word == "-"


def value_of(options: Mapping[str, tuple[str, ...]], names: Iterable[str]) -> str | None:
    """Give the first word of the first of these options that has one."""
    return next((options[name][0] for name in names if options.get(name)), None)


def count_of(options: Mapping[str, tuple[str, ...]], names: Iterable[str]) -> int | None:
    """Give a whole number, such as `8`, `32k` (32,000) or `32K` (32,768); None for anything else."""
    return whole(value_of(options, names))


def whole(text: str | None) -> int | None:
    """Read a whole number above 0, with a scale if it has one."""
    if text is None or not 0 < len(text) <= _LONGEST_NUMBER or not text.isascii():
        return None
    scale = _SCALES.get(text[-1])
    digits = text if scale is None else text[:-1]
    try:
        amount = float(digits) * (scale or 1)
    except ValueError:
        return None
    return int(amount) if math.isfinite(amount) and amount >= 1 and amount == int(amount) else None


def share_of(options: Mapping[str, tuple[str, ...]], names: Iterable[str]) -> float | None:
    """Give a fraction above 0 and up to 1."""
    text = value_of(options, names)
    if text is None or len(text) > _LONGEST_NUMBER:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 < number <= 1 else None


def truth_of(options: Mapping[str, tuple[str, ...]], names: Iterable[str]) -> bool | None:
    """Say whether a flag is set: `--flag`, `--flag true`, `--no-flag`; None where it is not named."""
    for name in names:
        if name in options:
            word = options[name][0].lower() if options[name] else ""
            return word not in _NO
        if f"no_{name}" in options:
            return False
    return None


def is_yes(text: str | None) -> bool:
    """Whether the text of a variable or of a YAML value says yes; nothing at all does not."""
    return text is not None and text.strip().lower() in _YES - {""}

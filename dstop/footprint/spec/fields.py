"""Reads single fields of a SPEC: whatever is wrong is refused with the field's name and what it may be."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from dstop.errors import PlanError
from dstop.footprint.spec.choices import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOST_WORD = 64


def shown(value: object) -> str:
    """Give a value for a sentence: short, on one line, without control characters."""
    text = "".join(char if char.isprintable() else "?" for char in repr(value))
    return text if len(text) <= MOST_WORD else f"{text[: MOST_WORD - 1]}…"


def refuse_unknown(data: Mapping[str, Any], known: Iterable[str], prefix: str = "") -> None:
    """Refuse fields that do not exist: a misspelt one would be a setting that is silently not there.

    Raises:
        PlanError: one is not known; the nearest name is given.
    """
    names = tuple(known)
    for name in data:
        if name in names:
            continue
        from difflib import get_close_matches  # noqa: PLC0415 - for a mistake alone

        near = get_close_matches(str(name), names, 1)
        fix = f"did you mean {prefix}{near[0]}?" if near else f"it may have {', '.join(names)}"
        raise PlanError(f"the spec has no field {prefix}{shown(name).strip(chr(39))}", fix=fix)


def count(data: Mapping[str, Any], name: str, most: int, *, prefix: str = "", least: int = 1) -> int | None:
    """Read a whole number within bounds; None where it is not said.

    Raises:
        PlanError: it is no whole number, or out of bounds.
    """
    value = data.get(name)
    if value is None:
        return None
    whole = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    if not whole or value != int(value):
        raise PlanError(f"{prefix}{name}: {shown(value)} is no whole number", fix=f"{least} to {most}")
    if not least <= value <= most:
        raise PlanError(f"{prefix}{name}: {shown(value)} is out of bounds", fix=f"{least} to {most}")
    return int(value)


def share(data: Mapping[str, Any], name: str) -> float | None:
    """Read a fraction above 0 and up to 1; None where it is not said.

    Raises:
        PlanError: it is no number, or out of bounds.
    """
    value = data.get(name)
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    if not number or not 0 < value <= 1:
        raise PlanError(f"{name}: {shown(value)} is no fraction", fix="above 0 and at most 1, such as 0.9")
    return float(value)


def switch(data: Mapping[str, Any], name: str, *, prefix: str = "") -> bool | None:
    """Read true or false; None where it is not said.

    Raises:
        PlanError: it is something else.
    """
    value = data.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise PlanError(f"{prefix}{name}: {shown(value)} is neither true nor false", fix="write true or false")


def word(
    data: Mapping[str, Any], name: str, choices: tuple[str, ...] = (), *, prefix: str = ""
) -> str | None:
    """Read one word, by the name that dstop uses for it; None where it is not said.

    Raises:
        PlanError: it is no text, too long, or not one of the choices.
    """
    value = data.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or len(value) > MOST_WORD:
        raise PlanError(f"{prefix}{name}: {shown(value)} is no word", fix=_may_be(choices))
    found = plain(value)
    if choices and found not in choices:
        raise PlanError(f"{prefix}{name}: {shown(value)} is not known", fix=_may_be(choices))
    return found


def words(value: object, name: str, most: int = 64) -> tuple[str, ...]:
    """Read a list of words, such as names of modules.

    Raises:
        PlanError: it is no list of short texts.
    """
    if not isinstance(value, list | tuple) or not 0 < len(value) <= most:
        raise PlanError(f"{name}: {shown(value)} is no list of names", fix='such as ["q_proj", "v_proj"]')
    for item in value:
        if not isinstance(item, str) or not item or len(item) > MOST_WORD or not item.isprintable():
            raise PlanError(f"{name}: {shown(item)} is no name", fix='such as ["q_proj", "v_proj"]')
    return tuple(value)


def table(data: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """Read an object of fields; None where it is not said.

    Raises:
        PlanError: it is something else.
    """
    value = data.get(name)
    if value is None or isinstance(value, dict):
        return value
    raise PlanError(f"{name}: {shown(value)} is no object of fields", fix=f'such as {{"{name}": {{…}}}}')


def _may_be(choices: tuple[str, ...]) -> str:
    return f"it may be {', '.join(choices)}" if choices else f"a name of at most {MOST_WORD} letters"

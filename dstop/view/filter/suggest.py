"""What could come next while a filter is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.view.filter.fields import Field, Kind, Subject, by_name, fields

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dstop.model.process import GpuProcess

MOST = 10
_STARTS = "(!|&"


def suggest(text: str, processes: Iterable[GpuProcess] = ()) -> tuple[str, ...]:
    """Give whole texts that go on from `text`: a field's name, or after `user:` the users of these rows."""
    start = max((text.rfind(sign) for sign in (" ", "\t", *_STARTS)), default=-1) + 1
    head, word = text[:start], text[start:]
    if word.startswith("-"):
        head, word = head + "-", word[1:]
    name, colon, value = word.partition(":")
    if not colon:
        return tuple(head + each for each in _names(word.lower())[:MOST]) if word else ()
    found = by_name().get(name.lower())
    if found is None or found.text is None:
        return ()
    done, comma, last = value.rpartition(",")
    before = f"{head}{name}:{done}{comma}"
    folded = last.casefold()
    values = [
        each for each in _values(found, processes) if each.casefold().startswith(folded) and each != last
    ]
    return tuple(before + each for each in values[:MOST])


def _names(prefix: str) -> list[str]:
    """Give the fields that begin so, each with the operator that suits it."""
    names = [
        field.name + (":" if field.text is not None or field.kind is Kind.INTEGER else ">")
        for field in fields()
        if field.name.startswith(prefix)
    ]
    return [*names, "has:"] if "has".startswith(prefix) else names


def _values(field: Field, processes: Iterable[GpuProcess]) -> list[str]:
    if field.choices:
        return list(field.choices)
    if field.text is None or field.name in {"cmd", "label"}:
        return []
    seen = {value for process in processes for value in field.text(Subject(process))}
    return sorted(f'"{value}"' if " " in value else value for value in seen)

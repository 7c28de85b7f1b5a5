"""What every table of messages is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dstop.doctor.evidence.pattern import Pattern


@pytest.fixture
def found_in() -> Callable[[Iterable[Pattern], str], dict[str, dict[str, object]]]:
    """Give a function that reads a text with a table: the values by kind, those of several patterns together."""

    def read(table: Iterable[Pattern], text: str) -> dict[str, dict[str, object]]:
        found: dict[str, dict[str, object]] = {}
        for pattern in table:
            for _, _, values in pattern.find(text):
                known = found.setdefault(pattern.kind, {})
                known.update({name: value for name, value in values.items() if name not in known})
        return found

    return read


@pytest.fixture
def unmet_by() -> Callable[[Iterable[Pattern], Iterable[str]], list[str]]:
    """Give a function that names the patterns of a table that no text of a list has."""

    def read(table: Iterable[Pattern], texts: Iterable[str]) -> list[str]:
        lines = list(texts)
        return [
            f"{one.kind}: {one.needle}" for one in table if not any(list(one.find(text)) for text in lines)
        ]

    return read

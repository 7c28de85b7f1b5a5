"""Every table of messages, against the lines written down for it in tables/: one module a table.

Such a module has `MESSAGES`, the table; `LINES`, of (text, kind, figures); and what looks alike: `NOT`, of (text, the kind that
it is not), or `CALM`, of texts that are nothing at all.
"""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

TABLES = {path.stem: runpy.run_path(str(path)) for path in sorted(Path(__file__).parent.glob("tables/*.py"))}


def _each(name):
    return [
        pytest.param(table, line, id=f"{stem}-{line if isinstance(line, str) else line[0]:.50}")
        for stem, table in TABLES.items()
        for line in table.get(name, ())
    ]


@pytest.mark.parametrize(("table", "line"), _each("LINES"))
def test_a_message_is_found_with_its_figures(table, line, found_in):
    """A message of any version gives its kind and its figures."""
    text, kind, values = line
    found = found_in(table["MESSAGES"], text)
    assert kind in found
    assert {name: found[kind].get(name) for name in values} == values


@pytest.mark.parametrize(("table", "line"), _each("NOT"))
def test_what_looks_alike_is_something_else(table, line, found_in):
    """A message with some of the same words is not taken for it."""
    text, kind = line
    assert kind not in found_in(table["MESSAGES"], text)


@pytest.mark.parametrize(("table", "text"), _each("CALM"))
def test_what_looks_alike_is_nothing(table, text, found_in):
    """Words that are near a message, and are none."""
    assert found_in(table["MESSAGES"], text) == {}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_pattern_has_a_message(table, unmet_by):
    """No pattern is without a line that it finds, and no table without a line that only looks alike."""
    assert unmet_by(table["MESSAGES"], [text for text, _, _ in table["LINES"]]) == []
    assert table.get("NOT") or table.get("CALM")

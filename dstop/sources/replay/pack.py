"""Moments to a block: every value becomes a row of its class's table, and is written once however often it is there."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from dstop import __version__
from dstop.errors import RecordingError
from dstop.sources.replay.schema import CLASSES, MOST_ROWS, Kind, fields_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dstop.model.value import Value
    from dstop.sources.replay.moment import Moment
    from dstop.sources.replay.schema import Field

HALF_FULL = MOST_ROWS // 2
FULL_BYTES = 4 << 20
"""A block that has so many rows of one class, or may become so long, is closed before the next moment is too much."""
_CELL_BYTES = 9
"""What a number takes at most in MessagePack (its specification, formats float 64 and uint 64)."""


class Packer:
    """Takes moments until it is asked for the block that they make."""

    def __init__(self, step_s: float) -> None:
        self.step_s = step_s
        self.moments: list[Moment] = []
        """They are kept, and all that they hold with them: what is written once is known by where it is in memory."""
        self._begin()

    def _begin(self) -> None:
        self._texts = _Texts()
        self._shapes = _Shapes()
        self._tables: dict[type[Value], _Rows] = {}
        for class_ in CLASSES:
            self._tables[class_] = _Rows(class_, self._tables, self._texts, self._shapes)

    @property
    def is_full(self) -> bool:
        """Whether it should be taken before more comes."""
        tables = self._tables.values()
        size = self._shapes.size_bytes + sum(table.size_bytes for table in tables)
        return size > FULL_BYTES or any(len(table.rows) > HALF_FULL for table in tables)

    def add(self, moment: Moment) -> None:
        """Take one moment."""
        self.moments.append(moment)
        self._tables[type(moment)].number(moment)

    def take(self) -> bytes:
        """Give the block of what was added, not compressed, and begin the next.

        Raises:
            RecordingError: a source gave what is no figure at all.
        """
        block = {
            "dstop": __version__,
            "step_s": float(self.step_s),
            "tables": {
                class_.__name__: {"rows": len(table.rows), "columns": table.columns()}
                for class_, table in self._tables.items()
                if table.rows
            },
            "texts": self._texts.all,
            "shapes": self._shapes.all(),
        }
        self.moments = []
        self._begin()
        try:
            return msgspec.msgpack.encode(block)
        except UnicodeEncodeError:  # half a character, from a file name or a command line that is not UTF-8
            return msgspec.msgpack.encode(_encodable(block))
        except (OverflowError, TypeError) as error:
            raise RecordingError(
                f"a figure cannot be recorded: {error}", fix="tell us which it was"
            ) from None


class _Rows:
    """The table of one class."""

    def __init__(
        self, class_: type[Value], tables: Mapping[type[Value], _Rows], texts: _Texts, shapes: _Shapes
    ) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.size_bytes = 0
        """About what it will take at most, before a column that is the same all the way becomes one cell."""
        self._fields = fields_of(class_)
        self._values: Callable[[Any], tuple[Any, ...]] = attrgetter(*(field.name for field in self._fields))
        self._numbers: dict[int, int] = {}
        self._references = [
            (place, _numbering(field, tables, texts, shapes))
            for place, field in enumerate(self._fields)
            if field.kind is not Kind.PLAIN
        ]

    def number(self, value: Value) -> int:
        """Give the row of a value, which is made when it is new."""
        number = self._numbers.get(id(value))
        if number is not None:
            return number
        row = list(self._values(value))
        for place, numbered in self._references:
            if row[place] is not None:
                row[place] = numbered(row[place])
        self.size_bytes += _size(row)
        number = self._numbers[id(value)] = len(self.rows)
        self.rows.append(tuple(row))
        return number

    def columns(self) -> dict[str, Sequence[Any]]:
        """Give the table column by column; references as steps from one row to the next."""
        return {
            field.name: _steps(_short(column)) if field.kind is Kind.ONE else _short(column)
            for field, column in zip(self._fields, zip(*self.rows, strict=True), strict=True)
        }


def _size(row: Sequence[Any]) -> int:
    """Give about what a row takes at most."""
    size = _CELL_BYTES * len(row)
    for cell in row:
        kind = type(cell)
        if kind is str:
            size += len(cell)
        elif kind is tuple or kind is list:
            size += sum(len(word) if type(word) is str else 2 for word in cell)
    return size


def _numbering(
    field: Field, tables: Mapping[type[Value], _Rows], texts: _Texts, shapes: _Shapes
) -> Callable[[Any], Any]:
    """Give what turns a value of a field into the reference that is written."""
    if field.kind is Kind.TEXTS:
        return texts.number
    if field.kind is Kind.COUNTS:
        return shapes.number
    if field.of is None:  # pragma: no cover - a reference has a class
        raise TypeError(field.name)
    number = tables[field.of].number
    if field.kind is Kind.ONE:
        return number
    return lambda values: _steps([number(value) for value in values])


def _steps(numbers: Iterable[int | None]) -> list[int | None]:
    """Give each number as its distance from the one before: of rows that follow each other, nothing but ones."""
    steps: list[int | None] = []
    before = 0
    for number in numbers:
        if number is None:
            steps.append(None)
        else:
            steps.append(number - before)
            before = number
    return steps


def _short(column: Sequence[Any]) -> Sequence[Any]:
    """Give one cell for a column that is the same all the way; 1, 1.0 and True are not the same."""
    first = column[0]
    if type(first) is list or column.count(first) != len(column):
        return column
    return column if len(set(map(type, column))) > 1 else (first,)


class _Texts:
    """The mappings of text to text, each once."""

    def __init__(self) -> None:
        self.all: list[Mapping[str, str]] = []
        self._numbers: dict[tuple[tuple[str, str], ...], int] = {}

    def number(self, mapping: Mapping[str, str]) -> int:
        key = tuple(mapping.items())
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.all)
            self.all.append(dict(key))
        return number


class _Shapes:
    """The mappings of text to numbers, those with the same keys together."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, ...], tuple[int, list[tuple[int, ...]]]] = {}
        self.size_bytes = 0

    def number(self, mapping: Mapping[str, int]) -> tuple[int, int]:
        keys = tuple(mapping)
        shape, rows = self._rows.setdefault(keys, (len(self._rows), []))
        rows.append(tuple(mapping.values()))
        self.size_bytes += _CELL_BYTES * len(keys)
        return shape, len(rows) - 1

    def all(self) -> list[dict[str, Any]]:
        return [
            {"keys": keys, "columns": list(zip(*rows, strict=True)) if keys else []}
            for keys, (_, rows) in self._rows.items()
        ]


def _encodable(part: Any) -> Any:
    """Give it with a mark in place of every half of a character."""
    if isinstance(part, str):
        return part.encode("utf-8", "replace").decode()
    if isinstance(part, dict):
        return {_encodable(key): _encodable(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [_encodable(each) for each in part]
    return part

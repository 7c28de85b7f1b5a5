"""A block to moments. Every cell is checked against the type and the bounds of its field before a value is made.

A recording may be anybody's: what is checked here is all that the rest relies on.
"""

from __future__ import annotations

from functools import cache
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from dstop.errors import RecordingError
from dstop.model.event import Event
from dstop.sources.replay.layout import Block
from dstop.sources.replay.moment import Moment
from dstop.sources.replay.schema import CLASSES, MOST_ROWS, Kind, fields_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dstop.model.value import Value
    from dstop.sources.replay.layout import Shape, Table
    from dstop.sources.replay.schema import Field

V = TypeVar("V", bound="Value")
_FIX = "play another place with --at, or record anew"


class Unpacked(NamedTuple):
    """What a block held."""

    moments: tuple[Moment, ...]
    step_s: float


def unpack(data: bytes) -> Unpacked:
    """Make the moments of a block.

    Args:
        data: as `Packer.take` gave it.

    Raises:
        RecordingError: for anything that no dstop has written, or a newer one.
    """
    try:
        block = _decoder(Block).decode(data)
        tables = _Tables(block)
        for class_ in CLASSES:
            tables.add(class_)
        moments = tuple(tables.of(Moment))
    except (msgspec.MsgspecError, RecursionError, _BadReferenceError) as error:
        raise RecordingError(f"the recording is damaged: {_words(error)}", fix=_FIX) from None
    for moment in moments:
        _check(moment)
    return Unpacked(moments, block.step_s)


def unpack_events(data: bytes) -> tuple[Event, ...]:
    """Give what happened in a block, in order, and make nothing else of it: a tenth of the work.

    Raises:
        RecordingError: as for `unpack`.
    """
    try:
        tables = _Tables(_decoder(Block).decode(data))
        tables.add(Event)
        return tuple(tables.of(Event))
    except (msgspec.MsgspecError, RecursionError, _BadReferenceError) as error:
        raise RecordingError(f"the recording is damaged: {_words(error)}", fix=_FIX) from None


def _words(error: Exception) -> str:
    text = str(error)[:120] if not isinstance(error, RecursionError) else "it is nested too deep"
    return "".join(char if char.isprintable() else "?" for char in text)


class _BadReferenceError(Exception):
    """A number in a table leads nowhere."""


class _Tables:
    """The tables of a block, each made of those before it."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._made: dict[type[Value], Sequence[Any]] = {}

    def of(self, class_: type[V]) -> Sequence[V]:
        return self._made[class_]

    def add(self, class_: type[Value]) -> None:
        """Make the values of a class."""
        table = self._block.tables.get(class_.__name__)
        if table is None:
            self._made[class_] = ()
            return
        names: list[str] = []
        columns: list[Sequence[Any]] = []
        for field in fields_of(class_):
            raw = table.columns.get(field.name)
            if raw is None:
                if field.required:
                    raise _BadReferenceError(f"{class_.__name__} without {field.name}")
                continue
            names.append(field.name)
            columns.append(self._column(field, raw, table, class_))
        self._made[class_] = [
            class_(**dict(zip(names, row, strict=True))) for row in _rows(columns, table.rows)
        ]

    def _column(self, field: Field, raw: msgspec.Raw, table: Table, class_: type[Value]) -> Sequence[Any]:
        try:
            cells = _cells(field.type).decode(raw)
        except msgspec.ValidationError as error:
            raise _BadReferenceError(f"{class_.__name__}.{field.name}: {error}") from None
        if len(cells) not in {1, table.rows}:
            raise _BadReferenceError(f"{class_.__name__}.{field.name} has {len(cells)} of {table.rows} cells")
        if field.kind is not Kind.PLAIN:
            cells = self._led(field, cells, f"{class_.__name__}.{field.name}")
        return cells if len(cells) == table.rows else cells * table.rows

    def _led(self, field: Field, cells: list[Any], where: str) -> list[Any]:
        """Follow the references of a column."""
        try:
            if field.kind is Kind.TEXTS:
                return [_at(self._block.texts, number) for number in cells]
            if field.kind is Kind.COUNTS:
                return [self._counts(*pair) for pair in cells]
            made = self._made[field.of] if field.of is not None else ()
            if field.kind is Kind.MANY:
                return [tuple(_at(made, number) for number in accumulate(steps)) for steps in cells]
            return list(_followed(made, cells))
        except IndexError:
            raise _BadReferenceError(f"{where} leads nowhere") from None

    def _counts(self, shape: int, row: int) -> Mapping[str, int]:
        found: Shape = _at(self._block.shapes, shape)
        if len(found.columns) != len(found.keys):
            raise IndexError
        return dict(zip(found.keys, (_at(column, row) for column in found.columns), strict=True))


def _rows(columns: Sequence[Sequence[Any]], count: int) -> Iterator[tuple[Any, ...]]:
    if not columns:
        raise _BadReferenceError(f"{count} rows of nothing")
    return zip(*columns, strict=True)


def _followed(made: Sequence[Any], steps: Sequence[int | None]) -> Iterator[Any]:
    at = 0
    for step in steps:
        if step is None:
            yield None
        else:
            at += step
            yield _at(made, at)


def _at(values: Sequence[Any], number: int) -> Any:
    if number < 0:
        raise IndexError
    return values[number]


@cache
def _decoder(type_: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(type_)


_CELLS: dict[int, tuple[Any, msgspec.msgpack.Decoder[list[Any]]]] = {}


def _cells(type_: Any) -> msgspec.msgpack.Decoder[list[Any]]:
    """Give what reads a column of a type."""
    found = _CELLS.get(id(type_))
    if found is None:
        decoder = msgspec.msgpack.Decoder(Annotated[list[type_], Meta(max_length=MOST_ROWS)])
        found = _CELLS[id(type_)] = (type_, decoder)
    return found[1]


def _check(moment: Moment) -> None:
    """Hold a moment against what every source promises, and the faces rely on."""
    indices = [gpu.index for gpu in moment.sample.gpus]
    if any(after <= before for before, after in pairwise(indices)):
        raise RecordingError("the recording is damaged: its cards are not in order", fix=_FIX)

"""What a recording can hold: the fields of the model's own classes, each with its type and its bounds.

The annotations of the classes are the schema, so that a new field is recorded as soon as it is there. Nothing of a
file is ever looked up: a name in it that is not in here is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from enum import Enum, auto
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from msgspec import Meta

from dstop.model import allocator, event, footprint, frame, gpu, guest, host, process, sample, unattributed
from dstop.sources.replay.moment import Moment

if TYPE_CHECKING:
    from dstop.model.value import Value

CLASSES: tuple[type[Value], ...] = (
    host.Host,
    gpu.MigInstance,
    gpu.Xid,
    gpu.Activity,
    gpu.Gpu,
    allocator.Allocator,
    footprint.Parts,
    footprint.Assumption,
    footprint.RankFootprint,
    footprint.Footprint,
    footprint.PartComparison,
    footprint.Cause,
    footprint.Expectation,
    process.ProcessFacts,
    process.ProcessFigure,
    process.GpuProcess,
    unattributed.Unattributed,
    sample.Sample,
    guest.Guest,
    event.Event,
    frame.Problem,
    Moment,
)
"""Everything that a moment is made of; each stands after what it holds itself."""

MOST_ROWS = 1 << 18
"""Of one class in one block: 64 cards with 64 processes each, for a minute."""
MOST_TEXT = 1 << 16
MOST_WORDS = 1 << 14
MOST_PARTS = 1 << 14
"""Of one tuple: the processes of a machine."""
MOST_PAIRS = 1 << 12

_WHOLE = (-(1 << 63), (1 << 63) - 1)
_BOUNDS = {
    "at_ns": (0, (1 << 63) - 1),
    "taken_at_ns": (0, (1 << 63) - 1),
    "since_ns": (0, (1 << 63) - 1),
    "index": (0, 1 << 16),
    "gpu_index": (-1, 1 << 16),
    "pid": (0, 1 << 32),
}
"""Numbers that are times, places in a list, or the kernel's; all others have 64 bits."""
_FLOAT = 1e18
"""Neither infinite nor NaN, and no number of a machine comes near it."""
_SECONDS = {"started_at_s": (-1.0, 1e10)}
"""Seconds since the epoch, which must be a date."""
_TEXT = Annotated[str, Meta(max_length=MOST_TEXT)]
_NUMBER = Annotated[int, Meta(ge=-MOST_ROWS, le=MOST_ROWS)]
_NUMBERS = Annotated[tuple[_NUMBER, ...], Meta(max_length=MOST_PARTS)]


class Kind(Enum):
    """How a field is written."""

    PLAIN = auto()
    ONE = auto()
    """A value of another class, or none: its number in that class's table."""
    MANY = auto()
    """Several: their numbers."""
    TEXTS = auto()
    """A mapping of text to text: its number among the block's mappings."""
    COUNTS = auto()
    """A mapping of text to whole numbers: the number of its keys among the block's shapes, and its row there."""


class Field(NamedTuple):
    """One field of a class."""

    name: str
    kind: Kind
    type: Any
    """What msgspec checks a value, or the reference to one, against."""
    of: type[Value] | None
    """What it refers to."""
    required: bool
    optional: bool
    """Whether it may be None."""


_KNOWN: dict[str, tuple[Field, ...]] = {}


def fields_of(class_: type[Value]) -> tuple[Field, ...]:
    """Give the fields of a class of `CLASSES`, as its annotations have them."""
    found = _KNOWN.get(class_.__name__)
    if found is None:
        found = _KNOWN[class_.__name__] = _fields_of(class_)
    return found


def _fields_of(class_: type[Value]) -> tuple[Field, ...]:
    known = {each.__name__: each for each in CLASSES}
    names = {**known, "Mapping": Mapping, "Phase": footprint.Phase, "Verdict": footprint.Verdict}
    hints = get_type_hints(class_, localns=names)
    return tuple(
        _field(each.name, hints[each.name], each.default is MISSING and each.default_factory is MISSING)
        for each in fields(class_)  # type: ignore[arg-type]  # every Value is a dataclass
    )


def _field(name: str, hint: Any, required: bool) -> Field:
    """Read one annotation.

    Raises:
        TypeError: for a type that recordings do not know yet.
    """
    parts = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    optional = NoneType in parts
    kind, of, type_ = _kind(name, next(part for part in parts if part is not NoneType))
    return Field(name, kind, type_ | None if optional else type_, of, required, optional)


def _kind(name: str, hint: Any) -> tuple[Kind, type[Value] | None, Any]:
    arguments = get_args(hint)
    if hint in CLASSES:
        return Kind.ONE, hint, _NUMBER
    if get_origin(hint) is tuple and arguments[0] in CLASSES:
        return Kind.MANY, arguments[0], _NUMBERS
    if get_origin(hint) is Mapping and arguments == (str, str):
        return Kind.TEXTS, None, _NUMBER
    if get_origin(hint) is Mapping and arguments == (str, int):
        return Kind.COUNTS, None, tuple[_NUMBER, _NUMBER]
    return Kind.PLAIN, None, _plain(name, hint)


def _plain(name: str, hint: Any) -> Any:
    if hint is float:
        low, high = _SECONDS.get(name, (-_FLOAT, _FLOAT))
        return _whole(int(low), int(high)) | Annotated[float, Meta(ge=low, le=high)]
    if hint is int:
        return _whole(*_BOUNDS.get(name, _WHOLE))
    if hint is str:
        return _TEXT
    if get_origin(hint) is tuple and get_args(hint)[0] is str:
        return Annotated[tuple[_TEXT, ...], Meta(max_length=MOST_WORDS)]
    if hint is bool or get_origin(hint) is Literal or (isinstance(hint, type) and issubclass(hint, Enum)):
        return hint
    raise TypeError(f"a recording cannot hold {hint!r}, the type of {name}")


def _whole(least: int, most: int) -> Any:
    return Annotated[int, Meta(ge=least, le=most)]

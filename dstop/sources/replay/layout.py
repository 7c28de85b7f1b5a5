"""How the moments of one block lie in it: a table for each class, column by column.

Columns are why a recording is small: a figure that does not change is written once a block, and what changes stands
beside what it was a second ago, where zlib (which looks back 32 KiB, RFC 1951 section 3.2.5) finds it.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from dstop.sources.replay.schema import MOST_PAIRS, MOST_ROWS, MOST_TEXT

_NAME = Annotated[str, Meta(max_length=100)]
_TEXT = Annotated[str, Meta(max_length=MOST_TEXT)]
_COUNT = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
MOST_SHAPES = 1 << 12


class Table(msgspec.Struct, frozen=True):
    """All values of one class. A column of one cell stands for that cell in every row."""

    rows: Annotated[int, Meta(ge=0, le=MOST_ROWS)]
    columns: Annotated[dict[_NAME, msgspec.Raw], Meta(max_length=200)]


class Shape(msgspec.Struct, frozen=True):
    """All mappings to numbers that have the same keys."""

    keys: Annotated[tuple[_TEXT, ...], Meta(max_length=MOST_PAIRS)]
    columns: Annotated[list[Annotated[list[_COUNT], Meta(max_length=MOST_ROWS)]], Meta(max_length=MOST_PAIRS)]
    """One for each key."""


class Block(msgspec.Struct, frozen=True):
    """A block, as it is before it is compressed."""

    dstop: _NAME
    """The version that wrote it."""
    step_s: Annotated[float, Meta(gt=0, le=3600)]
    """Seconds between two moments, where nothing is missing."""
    tables: Annotated[dict[_NAME, Table], Meta(max_length=200)]
    texts: Annotated[
        list[Annotated[dict[_TEXT, _TEXT], Meta(max_length=MOST_PAIRS)]], Meta(max_length=MOST_ROWS)
    ]
    shapes: Annotated[list[Shape], Meta(max_length=MOST_SHAPES)]

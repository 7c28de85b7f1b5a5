"""What a filter can ask of the model that a process runs: what it should hold, and what it holds beyond that."""

from __future__ import annotations

from dstop.view.filter.fields import Field, Kind, known
from dstop.view.order import excess_bytes, expected_bytes

TEXTS: tuple[Field, ...] = (
    Field(
        name="tier",
        kind=Kind.TEXT,
        help="the sizing guide's tier of its model",
        example="tier:pro",
        text=lambda s: known(s.process.expectation.tier if s.process.expectation else None),
    ),
)
AMOUNTS: tuple[Field, ...] = (
    Field(
        name="expected",
        kind=Kind.BYTES,
        help="what its model should need; has:expected finds the known",
        example="expected>10G",
        number=lambda s: expected_bytes(s.process),
    ),
    Field(
        name="excess",
        kind=Kind.BYTES,
        help="by how much it holds more than that",
        example="excess>5G",
        number=lambda s: excess_bytes(s.process),
    ),
)

"""Which columns the process table has at a width: the essential first, the command with what is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dstop.model.process import GpuProcess

GAP = 1
"""Cells between two columns."""
LEAST_COMMAND = 12
_SPECIAL, _PLENTY = 24, 32
"""What COMMAND keeps when a column comes that this machine needs, and one that is nice to have."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Column(Value):
    """A column as it is drawn: `width` cells, without the gap behind it."""

    name: str
    title: str
    width: int
    align: Literal["left", "right"] = "right"
    sort_key: str | None = None
    """The key of `SORT_KEYS` that orders the table by it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RowFacts(Value):
    """What the rows have that a column would be for."""

    ranks: bool = False
    containers: bool = False
    frameworks: bool = False
    models: bool = False
    slices: bool = False
    """Some process is on a MIG instance."""
    stuck: bool = False
    """Some process is in state D or Z."""
    allocators: bool = False
    """Some process tells what its PyTorch holds."""
    expected: bool = False
    """Of some process it is known what its model should need."""


def row_facts(processes: Iterable[GpuProcess]) -> RowFacts:
    """See in one pass what the rows have."""
    ranks = containers = frameworks = models = slices = stuck = allocators = expected = False
    for process in processes:
        facts = process.facts
        ranks = ranks or facts.rank is not None
        containers = containers or facts.container is not None
        frameworks = frameworks or facts.framework is not None
        models = models or facts.model is not None
        slices = slices or process.gpu_instance_id is not None
        stuck = stuck or process.state in {"D", "Z"}
        allocators = allocators or process.allocator is not None
        expected = expected or process.expectation is not None
    return RowFacts(
        ranks=ranks,
        containers=containers,
        frameworks=frameworks,
        models=models,
        slices=slices,
        stuck=stuck,
        allocators=allocators,
        expected=expected,
    )


_COMMAND = Column(name="command", title="COMMAND", width=LEAST_COMMAND, align="left", sort_key="command")
_IN_ORDER = (
    Column(name="gpu", title="GPU", width=3, sort_key="gpu"),
    Column(name="slice", title="MIG", width=5),
    Column(name="pid", title="PID", width=7, sort_key="pid"),
    Column(name="user", title="USER", width=8, align="left", sort_key="user"),
    Column(name="type", title="TYPE", width=4, align="left"),
    Column(name="rank", title="RANK", width=7, sort_key="rank"),
    Column(name="mem", title="MEM", width=6, sort_key="mem"),
    Column(name="share", title="MEM%", width=4, sort_key="mem"),
    Column(name="expected", title="EXPECT", width=6, sort_key="expected"),
    Column(name="excess", title="EXCESS", width=6, sort_key="excess"),
    Column(name="alloc", title="ALLOC", width=6, sort_key="alloc"),
    Column(name="cached", title="CACHED", width=6, sort_key="cached"),
    Column(name="other", title="OTHER", width=6, sort_key="other"),
    Column(name="sm", title="SM%", width=4, sort_key="sm"),
    Column(name="cpu", title="CPU%", width=5, sort_key="cpu"),
    Column(name="rss", title="RSS", width=6, sort_key="rss"),
    Column(name="state", title="S", width=1, align="left"),
    Column(name="time", title="TIME", width=6, sort_key="time"),
    Column(name="container", title="CONTAINER", width=19, align="left"),
    Column(name="framework", title="FRAMEWORK", width=9, align="left"),
    Column(name="model", title="MODEL", width=18, align="left"),
    Column(name="tier", title="TIER", width=19, align="left"),
    _COMMAND,
)
"""As they stand from left to right."""
NAMES = tuple(column.name for column in _IN_ORDER)
_BY_NAME = {column.name: column for column in _IN_ORDER}
_BASE = ("gpu", "mem", "pid", "command", "user", "sm", "cpu", "time")
"""The most needed first."""


def columns_for(width: int, facts: RowFacts, asked: Sequence[str] = ()) -> tuple[Column, ...]:
    """Choose the columns that fit into `width` cells; none below 4, where not even a GPU's number would.

    COMMAND takes what the others leave, and others come only while it keeps enough to be read.

    Args:
        width: cells of the table.
        facts: what the rows have that a column would be for.
        asked: names of the columns to have, in this order; those that do not fit are left out from the end.
    """
    if asked:
        return _as_asked(width, asked)
    chosen: set[str] = set()
    room = width + GAP
    for name in _BASE:
        need = _BY_NAME[name].width + GAP
        if need > room:
            break
        chosen.add(name)
        room -= need
    if "time" in chosen:
        for name, keeps in _extras(facts):
            need = _BY_NAME[name].width + GAP
            if room - need >= keeps - LEAST_COMMAND:
                chosen.add(name)
                room -= need
    return tuple(_widened(column, room) for column in _IN_ORDER if column.name in chosen)


def _as_asked(width: int, asked: Sequence[str]) -> tuple[Column, ...]:
    chosen: list[Column] = []
    room = width + GAP
    for name in dict.fromkeys(asked):
        column = _BY_NAME[name]
        if column.width + GAP > room:
            break
        chosen.append(column)
        room -= column.width + GAP
    return tuple(_widened(column, room) for column in chosen)


def _extras(facts: RowFacts) -> list[tuple[str, int]]:
    """List further columns, the most needed first, each with what COMMAND must keep for it."""
    asked = (
        ("state", facts.stuck, _SPECIAL),
        ("slice", facts.slices, _SPECIAL),
        ("rank", facts.ranks, _SPECIAL),
        ("expected", facts.expected, _PLENTY),
        ("excess", facts.expected, _PLENTY),
        ("alloc", facts.allocators, _PLENTY),
        ("cached", facts.allocators, _PLENTY),
        ("share", True, _PLENTY),
        ("rss", True, _PLENTY),
        ("type", True, _PLENTY),
        ("container", facts.containers, _PLENTY),
        ("framework", facts.frameworks, _PLENTY),
        ("model", facts.models, _PLENTY),
        ("tier", facts.expected, _PLENTY),
    )
    return [(name, keeps) for name, wanted, keeps in asked if wanted]


def _widened(column: Column, room: int) -> Column:
    if column is not _COMMAND or room <= 0:
        return column
    return Column(
        name=column.name,
        title=column.title,
        width=column.width + room,
        align=column.align,
        sort_key=column.sort_key,
    )

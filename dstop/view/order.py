"""In which order rows come: what is not known comes last, whichever way the rest runs."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, TypeVar

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dstop.model.process import GpuProcess

T = TypeVar("T")
Comparable = float | str | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SortKey(Value):
    """One way to order the table."""

    name: str
    help: str
    value: Callable[[GpuProcess], Comparable]
    largest_first: bool = False
    """The way that a person wants first: heavy, busy and old rows on top, names from A."""


def _user(process: GpuProcess) -> str | None:
    user = process.facts.user
    return user.casefold() if user else None


def _command(process: GpuProcess) -> str | None:
    command = process.facts.command
    return command.casefold() if command else None


def allocated_bytes(process: GpuProcess) -> int | None:
    """Give what its tensors have on the card."""
    return None if process.allocator is None else process.allocator.allocated_bytes


def cached_bytes(process: GpuProcess) -> int | None:
    """Give what PyTorch keeps free on the card for this process alone."""
    return None if process.allocator is None else process.allocator.cached_bytes


def expected_bytes(process: GpuProcess) -> int | None:
    """Give what the model in it should hold on the card; of a model that is known in part, what is known."""
    return None if process.expectation is None else process.expectation.expected_bytes


def excess_bytes(process: GpuProcess) -> int | None:
    """Give by how much more it holds than it should; below nought where it holds less."""
    return None if process.expectation is None else process.expectation.excess_bytes


SORT_KEYS: Mapping[str, SortKey] = {
    key.name: key
    for key in (
        SortKey(name="gpu", help="GPU, then memory", value=attrgetter("gpu_index")),
        SortKey(name="mem", help="GPU memory", value=attrgetter("gpu_memory_bytes"), largest_first=True),
        SortKey(name="sm", help="GPU time", value=attrgetter("sm_pct"), largest_first=True),
        SortKey(name="cpu", help="CPU", value=attrgetter("cpu_pct"), largest_first=True),
        SortKey(name="rss", help="host memory", value=attrgetter("rss_bytes"), largest_first=True),
        SortKey(name="time", help="age, oldest first", value=attrgetter("facts.started_at_s")),
        SortKey(name="pid", help="PID", value=attrgetter("pid")),
        SortKey(name="user", help="user", value=_user),
        SortKey(name="command", help="command", value=_command),
        SortKey(name="rank", help="rank", value=attrgetter("facts.rank")),
        SortKey(name="alloc", help="memory of tensors", value=allocated_bytes, largest_first=True),
        SortKey(name="cached", help="PyTorch's free memory", value=cached_bytes, largest_first=True),
        SortKey(
            name="other", help="memory not PyTorch's", value=attrgetter("not_torch_bytes"), largest_first=True
        ),
        SortKey(name="expected", help="what its model needs", value=expected_bytes, largest_first=True),
        SortKey(name="excess", help="memory beyond that", value=excess_bytes, largest_first=True),
    )
}
"""The orders, in the sequence in which `<` and `>` walk through them."""


def sort_rows(processes: Iterable[GpuProcess], key: str = "gpu", reverse: bool = False) -> list[GpuProcess]:
    """Put rows in order; rows that are equal in it are in the order of (GPU, PID).

    `reverse` turns the natural direction of the key round. By GPU, the heaviest of a card always comes first.

    Raises:
        KeyError: when there is no such key; `SORT_KEYS` has them.
    """
    order = SORT_KEYS[key]
    rows = sorted(processes, key=attrgetter("gpu_index", "pid"))
    if key == "gpu":
        rows = known_first(rows, attrgetter("gpu_memory_bytes"), largest_first=True)
    return known_first(rows, order.value, largest_first=order.largest_first != reverse)


def known_first(rows: Iterable[T], value: Callable[[T], Comparable], *, largest_first: bool) -> list[T]:
    """Sort by a value, stably, with the rows that have none (or NaN) at the end."""
    known: list[tuple[float | str, T]] = []
    unknown: list[T] = []
    for row in rows:
        this = value(row)
        if this is None or this != this:  # noqa: PLR0124 - NaN has no place in an order
            unknown.append(row)
        else:
            known.append((this, row))
    known.sort(key=itemgetter(0), reverse=largest_first)
    return [row for _, row in known] + unknown

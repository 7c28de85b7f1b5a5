"""The families of a page while they are gathered: what is not known never gets in."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from dstop.export.metrics.labels import NONE
from dstop.model.metric import METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dstop.export.metrics.labels import Labels
    from dstop.model.metric import Metric

T = TypeVar("T")


class Column(NamedTuple):
    """How one figure of a row becomes a sample."""

    metric: Metric
    get: Callable[[Any], float | None]


class Family(NamedTuple):
    """One family with its samples."""

    metric: Metric
    samples: Sequence[tuple[Labels, float]]


class Families:
    """Samples by family. A figure that is None or not finite has none; a row's labels must be its own (`distinct`)."""

    def __init__(self) -> None:
        self._samples: dict[str, list[tuple[Labels, float]]] = {}

    def add(self, metric: Metric, value: float | None, labels: Labels = NONE) -> None:
        """Enter one figure."""
        if value is not None and isfinite(value):
            self._samples.setdefault(metric.name, []).append((labels, value))

    def add_columns(self, columns: Iterable[Column], rows: Sequence[tuple[Labels, Any]]) -> None:
        """Enter figures of many rows."""
        for column in columns:
            get = column.get
            known = [
                (labels, value) for labels, row in rows if (value := get(row)) is not None and isfinite(value)
            ]
            if known:
                self._samples.setdefault(column.metric.name, []).extend(known)

    def all(self) -> tuple[Family, ...]:
        """Give those that have a sample, in the order of the table."""
        return tuple(
            Family(metric, self._samples[metric.name]) for metric in METRICS if metric.name in self._samples
        )


def distinct(rows: Iterable[tuple[Labels, T]]) -> list[tuple[Labels, T]]:
    """Give the rows without those whose labels are there already: a page that says a thing twice is refused whole."""
    first: dict[str, tuple[Labels, T]] = {}
    for row in rows:
        first.setdefault(row[0].text, row)
    return list(first.values())


def times(name: str, factor: float) -> Callable[[Any], float | None]:
    """Give a getter of an attribute that multiplies it: megahertz into hertz."""

    def get(row: Any) -> float | None:
        value = getattr(row, name)
        return None if value is None else value * factor

    return get


def per(name: str, divisor: float) -> Callable[[Any], float | None]:
    """Give a getter of an attribute that divides it: percent into shares of one, milliwatts into watts."""

    def get(row: Any) -> float | None:
        value = getattr(row, name)
        return None if value is None else value / divisor

    return get

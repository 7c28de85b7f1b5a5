"""The families as prometheus-client's own objects: what its registry, its formats and its filters work on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.registry import Collector, CollectorRegistry

from dstop.model.metric import METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client.core import Metric as LibraryMetric

    from dstop.export.metrics.families import Family
    from dstop.model.metric import Metric


class MachineCollector(Collector):
    """Gives the newest page each time that it is asked.

    Args:
        families: gives it.
    """

    def __init__(self, families: Callable[[], Iterable[Family]]) -> None:
        self._families = families

    def collect(self) -> Iterator[LibraryMetric]:
        """Give the families that have samples now."""
        for family in self._families():
            found = _empty(family.metric)
            for labels, value in family.samples:
                found.add_sample(
                    family.metric.name, dict(zip(labels.names, labels.values, strict=True)), value
                )
            yield found

    def describe(self) -> Iterator[LibraryMetric]:
        """Give all families there can be, for a registry that is asked for some by name."""
        yield from map(_empty, METRICS)


def registry_of(families: Callable[[], Iterable[Family]]) -> CollectorRegistry:
    """Give a registry of its own: the library's global one holds figures of this process that nobody asked for."""
    registry = CollectorRegistry()
    registry.register(MachineCollector(families))
    return registry


def _empty(metric: Metric) -> LibraryMetric:
    if metric.kind == "counter":
        return CounterMetricFamily(metric.family, metric.help, unit=metric.unit)
    if metric.kind == "info":
        return InfoMetricFamily(metric.family, metric.help)
    return GaugeMetricFamily(metric.family, metric.help, unit=metric.unit)

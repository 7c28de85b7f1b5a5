"""Families as bytes, in the two formats that Prometheus asks for; byte for byte what prometheus-client writes.

The library escapes each name of each sample letter by letter; a page of 8 cards with 64 processes each would take it
longer than a scrape may. Here names are known to be plain, and the labels of a row are written once.
Sources: OpenMetrics 1.0 (github.com/prometheus/OpenMetrics), Prometheus' text format 0.0.4.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dstop.export.metrics.families import Family
    from dstop.model.metric import Metric

MOST_KEPT = 8192
"""Most figures of a page were on the one before, or are on the same one: capacities, limits, counters at rest."""
_LONG, _EXACT = 10**6, 2**53
"""Below the one there is no exponent; above the other a float is not the number any more."""


def openmetrics(families: Iterable[Family]) -> bytes:
    """Write OpenMetrics 1.0."""
    parts: list[str] = []
    for family in families:
        parts.append(_openmetrics_head(family.metric))
        _lines(family, parts)
    parts.append("# EOF\n")
    return "".join(parts).encode()


def plain(families: Iterable[Family]) -> bytes:
    """Write the text format 0.0.4."""
    parts: list[str] = []
    for family in families:
        parts.append(_plain_head(family.metric))
        _lines(family, parts)
    return "".join(parts).encode()


def _lines(family: Family, parts: list[str]) -> None:
    name, text = family.metric.name, number
    parts.extend([f"{name}{labels} {text(value)}\n" for (_, _, labels), value in family.samples])


@lru_cache(maxsize=MOST_KEPT)
def number(value: float) -> str:
    """Write a number as the library does, which is as Go does: an exponent from seven digits on."""
    if not value:
        return "0.0"
    if isinstance(value, int) and _LONG <= value <= _EXACT:
        digits = str(value)
        return f"{digits[0]}.{digits[1:]}".rstrip("0.") + f"e+{len(digits) - 1:02d}"
    return _number(value)


_number: Callable[[float], str] = floatToGoString


def _openmetrics_head(metric: Metric) -> str:
    name, help_ = metric.family, metric.help.replace("\\", r"\\").replace('"', r"\"")
    unit = f"# UNIT {name} {metric.unit}\n" if metric.unit else ""
    return f"# HELP {name} {help_}\n# TYPE {name} {metric.kind}\n{unit}"


def _plain_head(metric: Metric) -> str:
    kind = "gauge" if metric.kind == "info" else metric.kind
    help_ = metric.help.replace("\\", r"\\")
    return f"# HELP {metric.name} {help_}\n# TYPE {metric.name} {kind}\n"

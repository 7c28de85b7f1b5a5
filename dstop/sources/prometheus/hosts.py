"""Whose series these are: the name that an exporter says, else the address that it is scraped at."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dstop.model import metric as m

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dstop.sources.prometheus.answer import Labels, Series

NOBODY = "?"
_MOST = 128


class HostSaid(NamedTuple):
    """What dstop's exporter says of its host."""

    name: str
    driver_version: str | None
    simulated: str | None


class Hosts:
    """Names by target, of those who say them on one series alone."""

    def __init__(self, series: Iterable[Series]) -> None:
        self._said: dict[tuple[str, str], HostSaid] = {}
        self.up: dict[str, bool] = {}
        """Whether the driver answers, by host."""
        self.instances: dict[str, set[str]] = {}
        ups: list[tuple[Labels, float]] = []
        for one in series:
            labels = one.metric
            if labels.metric == m.HOST.name and labels.hostname:
                self._said[labels.job, labels.instance] = HostSaid(
                    labels.hostname[:_MOST], labels.driver_version or None, labels.simulated or None
                )
            elif labels.metric == m.UP.name and one.number is not None:
                ups.append((labels, one.number))
        for labels, number in ups:
            self.up[self.name_of(labels)] = number != 0
        self.said = {each.name: each for each in self._said.values()}

    def name_of(self, labels: Labels) -> str:
        """Give the host of a series, and remember the address that it came from."""
        said = self._said.get((labels.job, labels.instance))
        if said is not None:
            name = said.name
        else:
            name = (labels.Hostname or labels.hostname)[:_MOST] or _host_part(labels.instance) or NOBODY
        if labels.instance:
            self.instances.setdefault(name, set()).add(labels.instance)
        return name


def _host_part(instance: str) -> str:
    """Give an address without its port: `node-1:9400`, `[::1]:9400`; one of IPv6 without brackets has none."""
    text = instance[:_MOST]
    head, colon, port = text.rpartition(":")
    if colon and port.isdecimal() and (":" not in head or head.endswith("]")):
        text = head
    return text.strip("[]")

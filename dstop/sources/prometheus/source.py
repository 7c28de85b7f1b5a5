"""One reading of a fleet: four queries, of which the first must be answered and each other may fail alone."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING

from dstop.errors import SourceError
from dstop.model.fleet import Fleet, FleetGpu, FleetHost, FleetProcess, natural
from dstop.sources.prometheus.cards import MOST_CARDS, CardBooks
from dstop.sources.prometheus.hosts import Hosts
from dstop.sources.prometheus.names import (
    ORDER,
    cards_query,
    findings_query,
    gone_query,
    processes_query,
)
from dstop.sources.prometheus.processes import findings_of, processes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dstop.model.fleet import FleetFinding
    from dstop.sources.prometheus.answer import Series
    from dstop.sources.prometheus.client import Client


class FleetSource:
    """Reads a fleet.

    Args:
        client: asks the server.
        match: label matchers that every query has: `cluster="a"`.
        clock_ns: the wall's.
    """

    def __init__(self, client: Client, match: str = "", clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._client, self._match, self._clock_ns = client, match, clock_ns

    @property
    def server(self) -> str:
        """The address of the server."""
        return self._client.address

    def read(self) -> Fleet:
        """Ask for all of it.

        Raises:
            SourceError: the cards cannot be had.
            UsageError: the file of the secret cannot be read.
        """
        taken_at_ns = self._clock_ns()
        notices: list[str] = []
        missing: dict[str, str] = {}

        def ask(about: str, text: str) -> Sequence[Series]:
            try:
                series, warnings = self._client.query(text)
            except SourceError as error:
                if about == "cards":
                    raise
                missing[about] = str(error)
                notices.append(f"{about}: {error.message}")
                return ()
            notices.extend(f"{about}: {warning}" for warning in warnings)
            return series

        cards = ask("cards", cards_query(self._match))
        hosts = Hosts(cards)
        books = CardBooks(hosts)
        for one in cards:
            books.add(one)
        count = len(cards)
        del cards  # before the next answer comes
        if books.left_out:
            notices.append(f"cards: {books.left_out} series beyond {MOST_CARDS} cards are left out")
        listed = ask("processes", processes_query(self._match))
        processes, count = processes_of(listed, hosts), count + len(listed)
        del listed
        found = ask("findings", findings_query(self._match))
        findings, count = findings_of(found, hosts), count + len(found)
        gone = {hosts.name_of(one.metric) for one in ask("gone", gone_query(self._match))}
        return Fleet(
            taken_at_ns=taken_at_ns,
            server=self.server,
            hosts=_hosts(hosts, books.cards(), processes, findings, gone),
            findings=findings,
            notices=tuple(notices),
            unavailable=missing,
            series=count,
        )


def _hosts(
    hosts: Hosts,
    cards: Iterable[FleetGpu],
    processes: Iterable[FleetProcess],
    findings: Iterable[FleetFinding],
    gone: Iterable[str],
) -> tuple[FleetHost, ...]:
    """Give the hosts that anything is known of, by their names."""
    gpus: dict[str, list[FleetGpu]] = defaultdict(list)
    rows: dict[str, list[FleetProcess]] = defaultdict(list)
    for card in cards:
        gpus[card.host].append(card)
    for process in processes:
        rows[process.host].append(process)
    names = {*gpus, *rows, *hosts.said, *hosts.up, *(finding.host for finding in findings)}
    found = []
    for name in sorted(names | set(gone), key=natural):
        said = hosts.said.get(name)
        told = {exporter for card in gpus[name] for exporter in card.exporters}
        if said is not None or name in hosts.up:
            told.add(ORDER[0])
        found.append(
            FleetHost(
                name=name,
                instances=tuple(sorted(hosts.instances.get(name, ()))),
                exporters=tuple(exporter for exporter in ORDER if exporter in told),
                gone=name not in names,
                up=hosts.up.get(name),
                driver_version=said.driver_version if said is not None else None,
                simulated=said.simulated if said is not None else None,
                gpus=tuple(sorted(gpus[name], key=lambda card: (natural(card.gpu), natural(card.mig or "")))),
                processes=tuple(rows[name]),
            )
        )
    return tuple(found)

"""One reading of a fleet: four queries at once; that for cards must be answered, each other may fail alone."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from dstop.errors import SourceError
from dstop.model.fleet import Fleet, FleetGpu, FleetHost, FleetProcess, natural
from dstop.sources.prometheus.answer import read_answer
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
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dstop.model.fleet import FleetFinding
    from dstop.sources.prometheus.answer import Series
    from dstop.sources.prometheus.client import Client

_RESOLVE_S = 5.0
"""What looking up a name may take beside the time of a query: the C library does it, and cannot be cut short."""


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
        match = self._match
        asked = {
            about: _Question(self._client, text)
            for about, text in (
                ("cards", cards_query(match)),
                ("processes", processes_query(match)),
                ("findings", findings_query(match)),
                ("gone", gone_query(match)),
            )
        }
        notices: list[str] = []
        missing: dict[str, str] = {}

        def answer(about: str) -> Sequence[Series]:
            try:
                series, warnings = asked.pop(about).answer()
            except SourceError as error:
                if about == "cards":
                    raise
                missing[about] = str(error)
                notices.append(f"{about}: {error.message}")
                return ()
            notices.extend(f"{about}: {warning}" for warning in warnings)
            return series

        # One answer is taken apart after the other, so that never more than one is in pieces.
        cards = answer("cards")
        hosts = Hosts(cards)
        books = CardBooks(hosts)
        for one in cards:
            books.add(one)
        count = len(cards)
        del cards
        if books.left_out:
            notices.append(f"cards: {books.left_out} series beyond {MOST_CARDS} cards are left out")
        listed = answer("processes")
        processes, count = processes_of(listed, hosts), count + len(listed)
        del listed
        found = answer("findings")
        findings, count = findings_of(found, hosts), count + len(found)
        gone: dict[str, set[str]] = {}
        for one in answer("gone"):
            gone.setdefault(hosts.name_of(one.metric), set()).add(one.metric.gpu or one.metric.index)
        return Fleet(
            taken_at_ns=taken_at_ns,
            server=self.server,
            hosts=_hosts(hosts, books.cards(), processes, findings, gone),
            findings=findings,
            notices=tuple(notices),
            unavailable=missing,
            series=count,
        )


class _Question(threading.Thread):
    """One query that is under way, in a thread that nobody has to wait for: not even the end of the program."""

    def __init__(self, client: Client, text: str) -> None:
        super().__init__(name="dstop-prometheus", daemon=True)
        self._client, self._text = client, text
        self._data: bytes | None = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """Ask."""
        try:
            self._data = self._client.fetch(self._text)
        except BaseException as error:  # noqa: BLE001 - whatever it is, who waits for the answer gets it
            self._error = error

    def answer(self) -> tuple[Sequence[Series], Sequence[str]]:
        """Wait for the answer and take it apart.

        Raises:
            SourceError: there is none in time, or none that can be used.
            UsageError: the file of the secret cannot be read.
        """
        self.join(self._client.timeout_s + _RESOLVE_S)
        if self.is_alive():
            raise SourceError("the server's name is still being looked up", fix="check --prometheus")
        if self._error is not None:
            raise self._error
        data, self._data = self._data or b"", None
        return read_answer(data)


def _hosts(
    hosts: Hosts,
    cards: Iterable[FleetGpu],
    processes: Iterable[FleetProcess],
    findings: Iterable[FleetFinding],
    gone: Mapping[str, Iterable[str]],
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
                gone_gpus=_gone_gpus(gone.get(name, ()), gpus[name]),
                up=hosts.up.get(name),
                driver_version=said.driver_version if said is not None else None,
                simulated=said.simulated if said is not None else None,
                gpus=tuple(sorted(gpus[name], key=lambda card: (natural(card.gpu), natural(card.mig or "")))),
                processes=tuple(rows[name]),
            )
        )
    return tuple(found)


def _gone_gpus(gone: Iterable[str], cards: Sequence[FleetGpu]) -> tuple[str, ...]:
    """Give the cards that nobody tells of any more; one that another address tells of now is none."""
    here = {card.gpu for card in cards}
    return tuple(sorted((gpu for gpu in gone if gpu and here and gpu not in here), key=natural))

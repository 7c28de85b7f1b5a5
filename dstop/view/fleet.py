"""Which cards and hosts of a fleet are shown, and in which order: the worst first, unless told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dstop.model.value import Value
from dstop.view.fleet_filter import FleetFilter
from dstop.view.fleet_findings import RANK, all_findings
from dstop.view.fleet_jobs import jobs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dstop.model.fleet import Fleet, FleetFinding, FleetGpu, FleetHost, FleetJob

SORTS = ("worst", "mem", "util", "power", "temp", "findings", "host")
_CALM = 9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Known(Value):
    """A fleet with what follows from it; computed once a reading."""

    fleet: Fleet
    jobs: tuple[FleetJob, ...] = ()
    findings: tuple[FleetFinding, ...] = ()
    by_card: Mapping[tuple[str, str], tuple[FleetFinding, ...]] = field(default_factory=dict)
    """What was found on a card, or about its processes, the worst first."""
    by_host: Mapping[str, tuple[FleetFinding, ...]] = field(default_factory=dict)
    """Everything that was found on a host, the worst first."""

    def of_card(self, card: FleetGpu) -> tuple[FleetFinding, ...]:
        """Give what was found on a card."""
        return self.by_card.get((card.host, card.gpu), ())


def known(fleet: Fleet) -> Known:
    """Find all that follows from a reading."""
    jobs = jobs_of(fleet)
    findings = all_findings(fleet, jobs)
    by_card: dict[tuple[str, str], list[FleetFinding]] = {}
    by_host: dict[str, list[FleetFinding]] = {}
    for finding in findings:
        by_host.setdefault(finding.host, []).append(finding)
        if finding.gpu is not None:
            by_card.setdefault((finding.host, finding.gpu), []).append(finding)
    return Known(
        fleet=fleet,
        jobs=jobs,
        findings=findings,
        by_card={key: tuple(found) for key, found in by_card.items()},
        by_host={key: tuple(found) for key, found in by_host.items()},
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class FleetView(Value):
    """What the user wants to see."""

    sort: str = "worst"
    reverse: bool = False
    filter: FleetFilter = field(default_factory=FleetFilter)


def cards_of(known_: Known, view: FleetView) -> list[FleetGpu]:
    """Give the cards that the filter takes, in order."""
    cards = (
        [card for card in known_.fleet.gpus if view.filter.takes(_card_text(card, known_), _figures(card))]
        if view.filter.text
        else list(known_.fleet.gpus)
    )
    # Hosts are in their order already, and so are the cards of each: sorting keeps it among equals.
    if view.sort != "host":
        cards.sort(key=_ORDERS[view.sort](known_))
    if view.reverse:
        cards.reverse()
    return cards


def hosts_of(known_: Known, view: FleetView) -> list[FleetHost]:
    """Give the hosts that the filter takes, or any card of which it takes; in the order of their worst card."""
    hosts = [host for host in known_.fleet.hosts if not view.filter.text or _takes_host(host, known_, view)]
    if view.sort != "host":
        order = _ORDERS[view.sort](known_)
        hosts.sort(
            key=lambda host: (_trouble(host, known_), min((order(card) for card in host.gpus), default=()))
        )
    if view.reverse:
        hosts.reverse()
    return hosts


def jobs_shown(known_: Known, view: FleetView) -> list[FleetJob]:
    """Give the jobs whose name, command, user or hosts have the words of the filter."""
    return [
        job
        for job in known_.jobs
        if not view.filter.words
        or FleetFilter(words=view.filter.words).takes(
            " ".join((job.name, job.command or "", job.user or "", *job.hosts)).lower(), {}
        )
    ]


def findings_shown(known_: Known, view: FleetView) -> list[FleetFinding]:
    """Give the findings that have the words of the filter."""
    words = FleetFilter(words=view.filter.words)
    return [
        one
        for one in known_.findings
        if not words.words or words.takes(f"{one.host} {one.rule or ''} {one.badge} {one.says}".lower(), {})
    ]


def severity(found: tuple[FleetFinding, ...]) -> int:
    """Give how bad the worst of them is: 0 critical, 1 warning, 2 a note, more for nothing."""
    return RANK[found[0].severity] if found else _CALM


def _takes_host(host: FleetHost, known_: Known, view: FleetView) -> bool:
    if not host.gpus:
        return view.filter.takes(host.name.lower(), {})
    return any(view.filter.takes(_card_text(card, known_), _figures(card)) for card in host.gpus)


def _card_text(card: FleetGpu, known_: Known) -> str:
    found = " ".join(f"{one.badge} {one.rule or ''}" for one in known_.of_card(card))
    return f"{card.host} {card.name or ''} {card.uuid or ''} {found}".lower()


def _figures(card: FleetGpu) -> Mapping[str, float | None]:
    return {
        "mem": card.memory_pct,
        "util": card.utilization_gpu_pct,
        "power": None if card.power_mw is None else card.power_mw / 1000,
        "temp": card.temperature_c,
        "xid": card.xid,
    }


def _down(value: float | None) -> float:
    """Give a key that has the largest first, and the unknown last."""
    return 1.0 if value is None else -value - 1.0


def _trouble(host: FleetHost, known_: Known) -> int:
    """Give 0 for a host that is gone or has no driver: it has no card that could stand for it."""
    return (
        0
        if any(one.gpu is None and RANK[one.severity] == 0 for one in known_.by_host.get(host.name, ()))
        else 1
    )


def _worst(known_: Known) -> Callable[[FleetGpu], tuple[float, ...]]:
    """Order by whether it answers, then by whole percents of memory, then by what was found, then by the rest of it."""

    def key(card: FleetGpu) -> tuple[float, ...]:
        share = card.memory_pct
        whole = None if share is None else float(round(share))
        return (
            0 if card.up is False else 1,
            _down(whole),
            severity(known_.of_card(card)),
            0 if card.xid else 1,
            _down(share),
        )

    return key


def _by(
    get: Callable[[FleetGpu], float | None],
) -> Callable[[Known], Callable[[FleetGpu], tuple[float, ...]]]:
    return lambda _: lambda card: (_down(get(card)),)


_ORDERS: Mapping[str, Callable[[Known], Callable[[FleetGpu], tuple[float, ...]]]] = {
    "worst": _worst,
    "mem": _by(lambda card: card.memory_used_bytes),
    "util": _by(lambda card: card.utilization_gpu_pct),
    "power": _by(lambda card: card.power_mw),
    "temp": _by(lambda card: card.temperature_c),
    "findings": lambda known_: lambda card: (severity(known_.of_card(card)), -len(known_.of_card(card))),
}

"""What somebody should look at in a fleet: what exporters found, and what the figures themselves say."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from dstop.model.finding import Severity
from dstop.model.fleet import FleetFinding, natural
from dstop.model.xid import xid_meaning

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dstop.model.fleet import Fleet, FleetGpu, FleetHost, FleetJob

RANK = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.NOTE: 2}
PROGRAM_XIDS = frozenset({13, 31, 43, 45, 63, 92, 94})
"""A fault of a program, or one that the card has mended itself (the meanings of `dstop.model.xid`)."""
_HOT = {"hw_thermal", "hw_power_brake", "hw_slowdown", "sw_thermal"}
"""Reasons that nobody has set: a power cap is a setting, and the normal state of a busy card."""
_SAME = {
    "XID": "DS852",
    "ECC": "DS851",
    "REMAP": "DS851",
    "ROW REMAP": "DS851",
    "LOST": "DS853",
    "HOT": "DS850",
}
"""The live rule of dstop that says the same: its exporter has told it then."""


def all_findings(fleet: Fleet, jobs: Sequence[FleetJob] = ()) -> tuple[FleetFinding, ...]:
    """Give everything, the worst first, then by host and card.

    Args:
        fleet: what was read.
        jobs: its jobs, for the ranks that are not like their peers.
    """
    told = [_titled(finding) for finding in fleet.findings]
    known = {(finding.host, finding.gpu, finding.rule) for finding in told}
    found = [
        finding
        for finding in (*_of_hosts(fleet.hosts), *_of_cards(fleet.gpus))
        if (finding.host, finding.gpu, _SAME.get(finding.badge)) not in known
    ]
    found += _of_jobs(jobs)
    return tuple(
        sorted(
            (*told, *found),
            key=lambda one: (RANK[one.severity], natural(one.host), natural(one.gpu or ""), one.badge),
        )
    )


def _titled(finding: FleetFinding) -> FleetFinding:
    title = _title(finding.rule) if finding.rule else None
    return finding if title is None else replace(finding, says=title)


@lru_cache(maxsize=256)
def _title(rule: str) -> str | None:
    """Give the rule's own sentence; a newer exporter has rules that are not known here."""
    from dstop.doctor.rules import rule_of  # noqa: PLC0415 - most fleets have nothing to tell, and there are many rules

    known = rule_of(rule)
    return known.title if known is not None else None


def _of_hosts(hosts: Iterable[FleetHost]) -> Iterator[FleetFinding]:
    for host in hosts:
        if host.gone:
            yield FleetFinding(
                host=host.name,
                severity=Severity.CRITICAL,
                badge="GONE",
                says="its exporter told of cards within the last hour, and tells nothing now",
            )
            continue
        for gpu in host.gone_gpus:
            yield FleetFinding(
                host=host.name,
                gpu=gpu,
                severity=Severity.CRITICAL,
                badge="GONE",
                says="its exporter told of this card within the last hour, and no longer does",
            )
        if host.up is False:
            yield FleetFinding(
                host=host.name,
                severity=Severity.CRITICAL,
                badge="NO DRIVER",
                says="its exporter answers, and the driver does not",
            )


def _of_cards(cards: Iterable[FleetGpu]) -> Iterator[FleetFinding]:
    for card in cards:
        for severity, badge, says in _of_card(card):
            yield FleetFinding(host=card.host, gpu=card.gpu, severity=severity, badge=badge, says=says)


def _of_card(card: FleetGpu) -> Iterator[tuple[Severity, str, str]]:
    if card.up is False:
        yield Severity.CRITICAL, "LOST", "the card does not answer"
    if card.xid:
        severity = Severity.WARNING if card.xid in PROGRAM_XIDS else Severity.CRITICAL
        yield severity, "XID", f"last Xid {card.xid}: {xid_meaning(card.xid)}"
    if card.remapped_rows_failed:
        yield Severity.CRITICAL, "REMAP", "a bad row of its memory could not be remapped"
    if card.ecc_uncorrected:
        says = f"{card.ecc_uncorrected} uncorrectable memory errors since the driver was loaded"
        yield Severity.CRITICAL, "ECC", says
    if card.remapped_rows_pending:
        yield Severity.WARNING, "ROW REMAP", "bad rows of its memory wait for a reset"
    hot = [reason for reason in card.throttle_reasons or () if reason in _HOT]
    if hot:
        yield Severity.WARNING, "HOT", f"its clocks are held down: {', '.join(hot).replace('_', ' ')}"


def _of_jobs(jobs: Iterable[FleetJob]) -> Iterator[FleetFinding]:
    for job in jobs:
        for rank in job.ranks:
            if rank.odd is not None:
                yield FleetFinding(
                    host=rank.hosts[0],
                    gpu=rank.gpus[0],
                    pid=rank.pids[0],
                    severity=Severity.WARNING,
                    badge="RANK",
                    says=f"rank {rank.rank} of job {job.name}: {rank.odd}",
                )

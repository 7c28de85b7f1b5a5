"""The rows of a fleet's tables: which there are, and how each is drawn when it comes into sight."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dstop.draw.fleet_lines import (
    card_header,
    card_line,
    fleet_finding_line,
    host_header,
    host_line,
    job_title,
    rank_line,
)
from dstop.view.fleet import cards_of, findings_shown, hosts_of, jobs_shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dstop.draw.line import Line
    from dstop.model.fleet import FleetGpu, FleetHost, FleetJob
    from dstop.view.fleet import FleetView, Known


class Row(NamedTuple):
    """One row."""

    host: str | None
    """Where it leads to."""
    draw: Callable[[], Line]


def rows_of(known: Known, view: FleetView, show: int, width: int) -> tuple[Line | None, Sequence[Row]]:
    """Give the titles of a table and its rows.

    Args:
        known: what was read.
        view: order and filter.
        show: 0 cards, 1 hosts, 2 jobs, 3 findings.
        width: cells.
    """
    if show == 0:
        return card_header(width, view.sort), [_card(card, known, width) for card in cards_of(known, view)]
    if show == 1:
        return host_header(width), [_host(host, known, width) for host in hosts_of(known, view)]
    if show == 2:  # noqa: PLR2004 - the third of four
        return None, [row for job in jobs_shown(known, view) for row in _job(job, width)]
    return None, [
        Row(one.host, lambda one=one: fleet_finding_line(one, width))  # type: ignore[misc]
        for one in findings_shown(known, view)
    ]


def _card(card: FleetGpu, known: Known, width: int) -> Row:
    return Row(card.host, lambda: card_line(card, known.of_card(card), width))


def _host(host: FleetHost, known: Known, width: int) -> Row:
    return Row(host.name, lambda: host_line(host, known.by_host.get(host.name, ()), width))


def _job(job: FleetJob, width: int) -> list[Row]:
    return [
        Row(job.hosts[0] if job.hosts else None, lambda: job_title(job, width)),
        *(_rank(job, at, width) for at in range(len(job.ranks))),
    ]


def _rank(job: FleetJob, at: int, width: int) -> Row:
    return Row(job.ranks[at].hosts[0], lambda: rank_line(job, at, width))

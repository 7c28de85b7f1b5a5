"""A fleet as text that scrolls: what `dstop fleet --once` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.detail import heading
from dstop.draw.fleet_host import host_detail
from dstop.draw.fleet_lines import (
    card_header,
    card_line,
    fleet_finding_line,
    fleet_title,
    host_header,
    host_line,
    job_lines,
)
from dstop.draw.line import BLANK, clean, fit_line, line_cells
from dstop.view.fleet import cards_of, findings_shown, hosts_of, jobs_shown

if TYPE_CHECKING:
    from dstop.draw.line import Line
    from dstop.view.fleet import FleetView, Known


def fleet_lines(
    known: Known, view: FleetView, width: int, *, top: int, show: int | None = None
) -> list[Line]:
    """Draw the fleet: what was found, then its worst cards.

    Args:
        known: what was read.
        view: order and filter.
        width: cells.
        top: how many of each to draw at most.
        show: one table alone: 0 cards, 1 hosts, 2 jobs, 3 findings.
    """
    lines = [fleet_title(known, -1 if show is None else show, width)]
    for notice in known.fleet.notices:
        line: Line = ((f" {clean(notice)}", "note"),)
        lines.append(fit_line(line, max(width, line_cells(line))))
    if not known.fleet.hosts:
        return [*lines, *nothing_lines(known.fleet.server, width)]
    if show in {None, 3}:
        found = findings_shown(known, view)
        lines += [fleet_finding_line(one, width, whole=True) for one in found[:top]]
        lines += _more(len(found) - top, "findings", width)
    if show in {None, 0}:
        lines += [fit_line(BLANK, width)] if show is None else []
        cards = cards_of(known, view)
        lines.append(card_header(width, view.sort))
        lines += [card_line(card, known.of_card(card), width) for card in cards[:top]]
        lines += _more(len(cards) - top, "GPUs", width)
    if show == 1:
        hosts = hosts_of(known, view)
        lines.append(host_header(width))
        lines += [host_line(host, known.by_host.get(host.name, ()), width) for host in hosts[:top]]
        lines += _more(len(hosts) - top, "hosts", width)
    if show in {None, 2}:
        jobs = jobs_shown(known, view)
        most = top if show == 2 else 5  # noqa: PLR2004 - the third of four; the biggest beside everything else
        lines += [fit_line(BLANK, width)] if show is None and jobs else []
        for job in jobs[:most]:
            lines += job_lines(job, width, odd_only=show is None)
        lines += _more(len(jobs) - most, "jobs", width)
    return lines


def fleet_host_lines(known: Known, name: str, width: int) -> list[Line] | None:
    """Draw one host; None where the fleet has none of that name."""
    host = next((one for one in known.fleet.hosts if one.name == name), None)
    return None if host is None else [heading(clean(host.name), width), *host_detail(host, known, width)]


def nothing_lines(server: str, width: int) -> list[Line]:
    """Say what an empty fleet means."""
    texts = (
        "the server answers, and has no figures of GPUs",
        "it must scrape one of: dstop export (port 9778), dcgm-exporter (9400), nvitop-exporter (8000);",
        f"{clean(server)}/targets lists what it scrapes",
    )
    return [fit_line(((f" {text}", "note"),), width) for text in texts]


def _more(count: int, what: str, width: int) -> list[Line]:
    return [fit_line(((f" and {count} more {what}: --top, --filter", "dim"),), width)] if count > 0 else []

"""One host of a fleet, close up: its cards, what was found there, its processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.fleet_lines import card_header, card_line, fleet_finding_line
from dstop.draw.line import clean, fit, fit_line
from dstop.units import bytes_text, percent_text

if TYPE_CHECKING:
    from dstop.draw.line import Line
    from dstop.model.fleet import FleetHost
    from dstop.view.fleet import Known


def host_detail(host: FleetHost, known: Known, width: int) -> list[Line]:
    """Draw one host, close up: its cards, what was found there, its processes."""
    facts = [f"scraped at {', '.join(host.instances) or '–'}", f"by {', '.join(host.exporters) or 'nobody'}"]
    if host.driver_version is not None:
        facts.append(f"driver {host.driver_version}")
    lines = [fit_line(((fit(f" {clean('  '.join(facts))}", width), "label"),), width)]
    if host.simulated is not None:
        lines.append(fit_line(((f" {clean(host.simulated)}", "note"),), width))
    lines += [card_header(width, "", host=False)]
    lines += [card_line(card, known.of_card(card), width, host=False) for card in host.gpus]
    found = known.by_host.get(host.name, ())
    if found:
        lines += [fit_line((("", ""),), width), *(fleet_finding_line(one, width) for one in found)]
    lines.append(fit_line((("", ""),), width))
    return [*lines, *_process_lines(host, known, width)]


def _process_lines(host: FleetHost, known: Known, width: int) -> list[Line]:
    missing = known.fleet.unavailable.get("processes")
    if missing is not None:
        return [fit_line(((fit(f" processes – {clean(missing)}", width), "note"),), width)]
    if not host.lists_processes:
        text = " no exporter here tells of processes: dstop's does (dstop export)"
        return [fit_line(((fit(text, width), "dim"),), width)]
    if not host.processes:
        return [fit_line(((" no process holds memory here", "dim"),), width)]
    head = f" {'GPU':<6}{'PID':>8}  {'MEM':>6} {'TENSORS':>8} {'RESERVED':>9} {'SM':>4}"
    head += f"  {'USER':<10} {'RANK':>5}  COMMAND"
    lines = [fit_line(((head, "head"),), width, "head")]
    for row in sorted(host.processes, key=lambda one: -(one.gpu_memory_bytes or 0)):
        rank = "" if row.rank is None else str(row.rank)
        name = "all others" if row.pid == "other" else (row.command or "?")
        text = f" {fit(clean(row.gpu), 6)}{fit(clean(row.pid), 8, right=True)}  {bytes_text(row.gpu_memory_bytes):>6}"
        text += f" {bytes_text(row.allocated_bytes):>8} {bytes_text(row.reserved_bytes):>9}"
        text += f" {percent_text(row.sm_pct):>4}"
        text += f"  {fit(clean(row.user or ''), 10)} {rank:>5}  {clean(name)}"
        lines.append(fit_line(((fit(text, width), ""),), width))
    return lines

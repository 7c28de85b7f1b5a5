"""Tables of a fleet as lines: cards, hosts, jobs and findings; each is exactly as wide as it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.bars import meter
from dstop.draw.line import clean, fit, fit_line, line_cells, spread
from dstop.units import bytes_text, duration_text, percent_text, watts_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line, Span
    from dstop.model.fleet import FleetFinding, FleetGpu, FleetHost, FleetJob
    from dstop.view.fleet import Known

_ROLES = {"critical": "badge.bad", "warning": "badge", "note": "badge.note"}
_FULL, _WARM = 97.0, 85.0
"""Shares of memory from which a bar changes its colour: a card is full long before its last byte (fragments)."""
_WIDE, _WIDER = 100, 140
TABS = ("GPUs", "hosts", "jobs", "findings")


def fleet_title(known: Known, tab: int, width: int) -> Line:
    """Say how big the fleet is and how it does, and which of its tables this is."""
    fleet = known.fleet
    cards = fleet.gpus
    held = [(card.memory_used_bytes, card.usable_bytes) for card in cards]
    used = sum(one for one, all_ in held if one is not None and all_ is not None)
    total = sum(all_ for one, all_ in held if one is not None and all_ is not None)
    busy = [card.utilization_gpu_pct for card in cards if card.utilization_gpu_pct is not None]
    text = f" {_count(len(fleet.hosts), 'host')}  {_count(len(cards), 'GPU')}"
    if total:
        text += f"  {bytes_text(used)} of {bytes_text(total)} ({100 * used / total:.0f}%)"
    if busy:
        text += f"  busy {sum(busy) / len(busy):.0f}%"
    simulated = sum(host.simulated is not None for host in fleet.hosts)
    if simulated:
        text += "  SIMULATED" if simulated == len(fleet.hosts) else f"  {_count(simulated, 'host')} SIMULATED"
    tabs: list[Span] = []
    for at, name in enumerate(TABS):
        bad = f" {len(known.findings)}" if name == "findings" and known.findings else ""
        tabs.append((f" {at + 1} {name}{bad} ", "head.sorted" if at == tab else "head"))
    return fit_line(spread(((text, "head"),), tuple(tabs), width), width, "head")


def _count(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"


def state_lines(
    known: Known, width: int, *, now_ns: int, error: str | None, waiting: bool, interval_s: float
) -> list[Line]:
    """Say how old this is where it is old, why, and what is missing.

    Args:
        known: what was read last.
        width: cells.
        now_ns: the wall clock.
        error: why the newest reading failed.
        waiting: whether the server is being asked now.
        interval_s: seconds between two readings.
    """
    age_s = max(0.0, (now_ns - known.fleet.taken_at_ns) / 1e9)
    lines: list[Line] = []
    if error is not None:
        text = f" figures are {duration_text(age_s)} old: {clean(error)}"
        lines.append(fit_line(((fit(text, width), "badge.bad"),), width))
    elif waiting and age_s > 2 * interval_s + 1:
        text = f" figures are {duration_text(age_s)} old: the server is still being asked"
        lines.append(fit_line(((fit(text, width), "badge"),), width))
    lines += [fit_line(((fit(f" {clean(text)}", width), "note"),), width) for text in known.fleet.notices[:3]]
    return lines


def card_header(width: int, sort: str, *, host: bool = True) -> Line:
    """The titles over cards."""
    bar, model, badge = _card_cells(width)
    marks = {"mem": "MEM", "util": "UTIL", "power": "POWER", "temp": "TEMP", "host": "HOST", "worst": "%"}
    titles = [(_fit("HOST", _host_cells(width)), "HOST")] if host else []
    titles += [
        (f"{'GPU':<6}", "GPU"),
        (_fit("MEMORY", bar), ""),
        (f"{'%':>4} ", "%"),
        (f"{'USED':>6} {'TOTAL':>6} ", "MEM"),
        (f"{'UTIL':>5}", "UTIL"),
        (f"{'POWER':>7}", "POWER"),
        (f"{'TEMP':>6} ", "TEMP"),
        (_fit("MODEL", model), ""),
        (_fit("FOUND", badge), "FOUND"),
    ]
    marked = marks.get(sort, "FOUND")
    return fit_line(
        tuple((text, "head.sorted" if name == marked else "head") for text, name in titles), width, "head"
    )


def _fit(text: str, width: int) -> str:
    return fit(text, width - 1) + " " if width > 1 else ""


def _host_cells(width: int) -> int:
    return 15 if width < _WIDE else 28 if width < _WIDER else 36


def _card_cells(width: int) -> tuple[int, int, int]:
    """Give the cells for the bar, the model and what was found."""
    if width < _WIDE:
        return 11, 0, 40
    return (20, 18, 60) if width < _WIDER else (40, 30, 80)


def card_line(card: FleetGpu, found: Sequence[FleetFinding], width: int, *, host: bool = True) -> Line:
    """Draw one card.

    Args:
        card: what its exporters say.
        found: what is wrong with it, the worst first.
        width: cells.
        host: whether its host stands in front.
    """
    bar, model, badge = _card_cells(width)
    share = card.memory_pct
    role = (
        "bad"
        if share is not None and share >= _FULL
        else "warn"
        if share is not None and share >= _WARM
        else "seg.a"
    )
    name = card.gpu if card.mig is None else f"{card.gpu}:{card.mig}"
    spans: list[Span] = [(_fit(clean(card.host), _host_cells(width)), "")] if host else []
    dead = card.up is False
    spans += [
        (_fit(clean(name), 6), "title"),
        *meter(None if share is None or dead else share / 100, bar - 1, role),
        (" ", ""),
        (f"{percent_text(share):>4} ", role if role != "seg.a" else ""),
        (f"{bytes_text(card.memory_used_bytes):>6} {bytes_text(card.usable_bytes):>6} ", ""),
        (f"{percent_text(card.utilization_gpu_pct):>5}", ""),
        (f"{watts_text(card.power_mw):>6}W" if card.power_mw is not None else f"{'–':>7}", "label"),
        (f"{card.temperature_c:>5}°" if card.temperature_c is not None else f"{'–':>6}", "label"),
        (" ", ""),
        (_fit(clean(short_model(card.name)), model), "dim"),
        *_badges(found, badge),
    ]
    return fit_line(tuple(spans), width)


def short_model(name: str | None) -> str:
    """Give the model without what all of them have in common."""
    return (name or "").removeprefix("NVIDIA ").replace("GeForce ", "")


def _badges(found: Sequence[FleetFinding], room: int) -> Line:
    spans: list[Span] = []
    seen: set[str] = set()
    for one in found:
        word = f" {clean(one.badge)} "
        if one.badge in seen or line_cells(spans) + len(word) > room:
            continue
        seen.add(one.badge)
        spans += [(word, _ROLES[one.severity]), (" ", "")]
    return tuple(spans)


def host_header(width: int) -> Line:
    """The titles over hosts."""
    text = f"{_fit('HOST', _host_cells(width))}{'GPUS':>5} {_fit('MEMORY', _card_cells(width)[0])}{'%':>4}"
    text += f"{'WORST':>6}{'UTIL':>6}{'PROCS':>6}  {_fit('EXPORTERS', 18 if width >= _WIDE else 0)}FOUND"
    return fit_line(((text, "head"),), width, "head")


def host_line(host: FleetHost, found: Sequence[FleetFinding], width: int) -> Line:
    """Draw one host: its memory as a whole, its worst card, how busy it is."""
    shares = [card.memory_pct for card in host.gpus if card.memory_pct is not None]
    used = sum(card.memory_used_bytes or 0 for card in host.gpus if card.memory_pct is not None)
    usable = sum(card.usable_bytes or 0 for card in host.gpus if card.memory_pct is not None)
    share = 100 * used / usable if usable else None
    busy = [card.utilization_gpu_pct for card in host.gpus if card.utilization_gpu_pct is not None]
    worst = max(shares, default=None)
    exporters = "simulated" if host.simulated is not None else "+".join(host.exporters)
    processes = str(len(host.processes)) if host.lists_processes else "–"
    spans: list[Span] = [
        (_fit(clean(host.name), _host_cells(width)), "bad" if host.gone else "title"),
        (f"{len(host.gpus):>5} ", ""),
        *meter(None if share is None else share / 100, _card_cells(width)[0] - 1, "seg.a"),
        (" ", ""),
        (f"{percent_text(share):>4}", ""),
        (f"{percent_text(worst):>6}", "bad" if worst is not None and worst >= _FULL else ""),
        (f"{percent_text(sum(busy) / len(busy) if busy else None):>6}{processes:>6}  ", ""),
        (_fit(exporters, 18 if width >= _WIDE else 0), "dim"),
        *_badges(found, max(12, width - 60)),
    ]
    return fit_line(tuple(spans), width)


def fleet_finding_line(one: FleetFinding, width: int, *, whole: bool = False) -> Line:
    """Draw one finding: its badge, where, and what it says; `whole` lets it be longer than `width`."""
    where = clean(one.host) + ("" if one.gpu is None else f" GPU {clean(one.gpu)}")
    where += "" if one.pid is None else f" PID {clean(one.pid)}"
    badge = fit(f" {clean(one.badge)} ", 12)
    line: Line = (
        (badge, _ROLES[one.severity]),
        (f" {fit(where, 26 if width < _WIDE else 40)} ", "title"),
        (clean(one.says), ""),
    )
    return fit_line(line, max(width, line_cells(line)) if whole else width)


def job_title(job: FleetJob, width: int) -> Line:
    """Draw the line for all of a job."""
    title = f" {clean(job.name)}  {_count(len(job.ranks), 'rank')} on {_count(len(job.hosts), 'host')}"
    held = [rank.gpu_memory_bytes for rank in job.ranks if rank.gpu_memory_bytes is not None]
    if held:
        title += f"  {bytes_text(sum(held))}, {bytes_text(min(held))} to {bytes_text(max(held))} a rank"
    title += f"  {clean(job.user or '')}  {clean(job.command or '')}"
    return fit_line(((fit(title, width), "group"),), width)


def job_lines(job: FleetJob, width: int, *, odd_only: bool = False) -> list[Line]:
    """Draw one job: a line for all of it, then its ranks, or those that are not like their peers."""
    shown = [at for at, rank in enumerate(job.ranks) if not odd_only or rank.odd is not None]
    return [job_title(job, width), *(rank_line(job, at, width) for at in shown)]


def rank_line(job: FleetJob, at: int, width: int) -> Line:
    """Draw one rank, beside the biggest of its job."""
    rank = job.ranks[at]
    most = max((each.gpu_memory_bytes or 0 for each in job.ranks), default=0)
    share = rank.gpu_memory_bytes / most if rank.gpu_memory_bytes is not None and most else None
    mark = "*" if rank.odd else " "
    number = "?" if rank.rank is None else str(rank.rank)
    role = "warn" if rank.odd else ""
    inside = (
        ""
        if rank.reserved_bytes is None
        else f"  tensors {bytes_text(rank.allocated_bytes)} of {bytes_text(rank.reserved_bytes)}"
    )
    where = f"{clean('+'.join(rank.hosts))} GPU {clean('+'.join(rank.gpus))}"
    spans: list[Span] = [
        (f" {mark}{number:>5} ", role or "label"),
        (f"{fit(where, 24 if width < _WIDE else 40)} ", role),
        (f"{bytes_text(rank.gpu_memory_bytes):>6} ", role or "title"),
        *meter(share, 12 if width < _WIDE else 30, "warn" if rank.odd else "seg.a"),
        (f" {percent_text(rank.sm_pct):>4}%", "label"),
        (f"  {rank.odd}" if rank.odd else inside, role or "dim"),
    ]
    return fit_line(tuple(spans), width)

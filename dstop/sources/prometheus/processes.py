"""The processes of a fleet, and what dstop's rules found there, from their series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dstop.model.finding import Severity
from dstop.model.fleet import FleetFinding, FleetProcess
from dstop.model.metric import FINDING
from dstop.sources.prometheus.names import NVITOP, ORDER, PROCESSES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dstop.sources.prometheus.answer import Series
    from dstop.sources.prometheus.hosts import Hosts

MOST_FINDINGS = 10_000
"""More than anybody reads; an exporter has at most 128."""
_MOST_RANK = 9
_PERCENT = 100.5
_SEVERITIES = {str(each): each for each in Severity}


def processes_of(series: Iterable[Series], hosts: Hosts) -> tuple[FleetProcess, ...]:
    """Give the processes; one that two exporters tell of is told by the one that knows more."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    names: dict[tuple[str, ...], dict[str, Any]] = {}
    for one in series:
        labels = one.metric
        figure = PROCESSES.get(labels.metric)
        number = one.number
        if figure is None or number is None or number < 0 or not labels.pid:
            continue
        gpu = labels.gpu or labels.index or "?"
        key = (
            labels.job, labels.instance, labels.hostname, gpu, labels.mig, labels.pid, labels.job_id, labels.rank,
            figure.exporter,
        )  # fmt: skip
        if key not in found:
            found[key] = {}
            rank = labels.rank
            names[key] = {
                "host": hosts.name_of(labels),
                "gpu": gpu,
                "mig": labels.mig or None,
                "pid": labels.pid,
                "command": labels.command or None,
                "user": (labels.user or labels.username) or None,
                "job": labels.job_id or None,
                "rank": int(rank) if rank.isdecimal() and len(rank) <= _MOST_RANK else None,
            }
        value = number * figure.factor
        if figure.field == "sm_pct":
            found[key]["sm_pct"] = value if value <= _PERCENT else None
        else:
            found[key][figure.field] = round(value)
    return _told_once(names, found)


def _told_once(
    names: dict[tuple[str, ...], dict[str, Any]], found: dict[tuple[str, ...], dict[str, Any]]
) -> tuple[FleetProcess, ...]:
    by_row: dict[tuple[str, str, str], tuple[str, FleetProcess]] = {}
    for key, who in names.items():
        process = FleetProcess(**who, **found[key])
        row = (process.host, f"{process.gpu}/{process.mig or ''}", process.pid)
        before = by_row.get(row)
        if before is None or ORDER.index(key[-1]) < ORDER.index(before[0]):
            by_row[row] = (key[-1], process)
    ours = {(process.host, process.pid) for exporter, process in by_row.values() if exporter != NVITOP}
    return tuple(
        process
        for exporter, process in by_row.values()
        if exporter != NVITOP or (process.host, process.pid) not in ours
    )


def findings_of(series: Sequence[Series], hosts: Hosts) -> tuple[FleetFinding, ...]:
    """Give what the exporters' rules found; the server has its rule and where, and not its sentence."""
    found: list[FleetFinding] = []
    for one in series:
        labels = one.metric
        if labels.metric != FINDING.name or not one.number or len(found) >= MOST_FINDINGS:
            continue
        cause = labels.cause.replace("_", " ") or "a finding without a cause"
        found.append(
            FleetFinding(
                host=hosts.name_of(labels),
                gpu=labels.gpu or None,
                pid=labels.pid or None,
                rule=labels.rule or None,
                severity=_SEVERITIES.get(labels.severity, Severity.WARNING),
                says=cause,
                badge=(labels.rule or "FOUND")[:10],
            )
        )
    return tuple(found)

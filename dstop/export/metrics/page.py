"""A moment as families: the whole page, before anybody writes it down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.export.metrics import cards, processes
from dstop.export.metrics.families import Families
from dstop.export.metrics.labels import labels_of
from dstop.model import metric as m
from dstop.model.event import EventKind
from dstop.model.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.export.metrics.families import Family
    from dstop.export.metrics.moment import Moment
    from dstop.model.finding import Finding
    from dstop.model.sample import Sample


def page(moment: Moment) -> tuple[Family, ...]:
    """Give the families of a moment, in the order of the table.

    While nothing is read, the cards have their names and no figures: an old one passed on as new is worse than none.
    """
    families, sample, fresh = Families(), moment.frame.sample, moment.is_fresh
    _add_exporter(families, moment)
    _add_machine(families, sample)
    cards.add_names(families, sample.gpus, moment.counts.xids, fresh=fresh)
    for kind in EventKind:
        families.add(m.EVENTS, moment.counts.events.get(kind, 0), labels_of(m.EVENTS, str(kind)))
    if not fresh:
        return families.all()
    _add_host(families, sample)
    cards.add_figures(families, sample.gpus, sample.processes)
    listing = [gpu.index for gpu in sample.gpus[: cards.MOST_CARDS] if cards.lists_processes(gpu)]
    guests = moment.frame.guests
    left = processes.add_processes(families, sample.processes, guests, listing, moment.most_processes)
    families.add(m.EXPORTER_LEFT_OUT, left, labels_of(m.EXPORTER_LEFT_OUT, "processes"))
    left = _add_findings(families, moment.frame.findings, moment.most_findings)
    families.add(m.EXPORTER_LEFT_OUT, left, labels_of(m.EXPORTER_LEFT_OUT, "findings"))
    return families.all()


def _add_exporter(families: Families, moment: Moment) -> None:
    frame = moment.frame
    families.add(m.UP, 1 if moment.is_fresh else 0)
    families.add(m.BUILD, 1, labels_of(m.BUILD, moment.version))
    families.add(m.SIMULATED, 1 if frame.sample.simulated else None)
    families.add(m.SAMPLE_TIME, frame.sample.taken_at_ns / 1e9)
    families.add(m.SAMPLE_AGE, max(0.0, moment.age_s))
    families.add(m.INTERVAL, frame.step_s)
    families.add(m.EXPORTER_CPU, moment.cpu_s)
    families.add(m.EXPORTER_MEMORY, None if frame.cost is None else frame.cost.rss_bytes)
    families.add(m.EXPORTER_READ, moment.read_s)


def _add_machine(families: Families, sample: Sample) -> None:
    host = sample.host
    families.add(
        m.HOST,
        1,
        labels_of(
            m.HOST, host.name, sample.driver_version, sample.cuda_version, host.container, sample.simulated
        ),
    )


def _add_host(families: Families, sample: Sample) -> None:
    host = sample.host
    families.add(m.HOST_CPUS, host.cpu_count)
    families.add(m.HOST_CPU, None if host.cpu_pct is None else host.cpu_pct / 100)
    families.add(m.HOST_LOAD, host.load_1)
    families.add(m.HOST_MEMORY, host.memory_total_bytes)
    families.add(m.HOST_MEMORY_USED, host.memory_used_bytes)
    families.add(m.HOST_SWAP, host.swap_total_bytes)
    families.add(m.HOST_SWAP_USED, host.swap_used_bytes)
    families.add(m.HOST_UPTIME, host.uptime_s)


def _add_findings(families: Families, findings: Sequence[Finding], most: int) -> int:
    """Enter the worst, which come first, and give how many have no series of their own."""
    for severity in Severity:
        count = sum(finding.severity is severity for finding in findings)
        families.add(m.FINDINGS, count, labels_of(m.FINDINGS, str(severity)))
    shown = {
        key.text: key
        for key in (
            labels_of(m.FINDING, each.rule, each.cause, str(each.severity), each.gpu_index, each.pid)
            for each in findings[:most]
        )
    }
    for key in shown.values():
        families.add(m.FINDING, 1, key)
    return max(0, len(findings) - most)

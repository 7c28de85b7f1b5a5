"""A fleet as JSON: plain numbers with their unit in the key; what is not known is null."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dstop.export.values import clean, finite

if TYPE_CHECKING:
    from dstop.model.fleet import FleetFinding, FleetGpu, FleetHost, FleetJob, FleetProcess
    from dstop.view.fleet import FleetView, Known

SCHEMA = 1


def fleet_line(known: Known, view: FleetView) -> bytes:
    """Write a fleet as one line: the hosts that the filter takes, in the order that was asked for."""
    from dstop.view.fleet import cards_of, findings_shown, hosts_of, jobs_shown  # noqa: PLC0415 - with its caller

    fleet = known.fleet
    shown = {card.key for card in cards_of(known, view)}
    told = {
        "schema": SCHEMA,
        "taken_at_ns": fleet.taken_at_ns,
        "server": fleet.server,
        "series": fleet.series,
        "notices": [clean(text) for text in fleet.notices],
        "unavailable": {name: clean(why) for name, why in fleet.unavailable.items()},
        "hosts": [host_object(host, shown) for host in hosts_of(known, view)],
        "jobs": [job_object(job) for job in jobs_shown(known, view)],
        "findings": [finding_object(one) for one in findings_shown(known, view)],
    }
    return (json.dumps(told, ensure_ascii=False, allow_nan=False) + "\n").encode()


def host_object(host: FleetHost, shown: set[tuple[str, str, str | None]]) -> dict[str, Any]:
    """Give one host with those of its cards that are shown."""
    return {
        "host": clean(host.name),
        "instances": [clean(each) for each in host.instances],
        "exporters": list(host.exporters),
        "gone": host.gone,
        "up": host.up,
        "driver_version": host.driver_version,
        "simulated": host.simulated,
        "gpus": [gpu_object(card) for card in host.gpus if card.key in shown],
        "processes": [process_object(row) for row in host.processes] if host.lists_processes else None,
    }


def gpu_object(card: FleetGpu) -> dict[str, Any]:
    """Give one card."""
    return {
        "gpu": clean(card.gpu),
        "mig": card.mig,
        "uuid": card.uuid,
        "name": card.name,
        "exporters": list(card.exporters),
        "up": card.up,
        "memory_total_bytes": card.memory_total_bytes,
        "memory_used_bytes": card.memory_used_bytes,
        "memory_reserved_bytes": card.memory_reserved_bytes,
        "memory_free_bytes": card.memory_free_bytes,
        "memory_usable_bytes": card.usable_bytes,
        "memory_unattributed_bytes": card.memory_unattributed_bytes,
        "memory_pct": finite(card.memory_pct),
        "utilization_gpu_pct": finite(card.utilization_gpu_pct),
        "power_mw": card.power_mw,
        "power_limit_mw": card.power_limit_mw,
        "temperature_c": card.temperature_c,
        "throttle_reasons": None if card.throttle_reasons is None else list(card.throttle_reasons),
        "ecc_uncorrected": card.ecc_uncorrected,
        "remapped_rows_pending": card.remapped_rows_pending,
        "remapped_rows_failed": card.remapped_rows_failed,
        "xid": card.xid,
        "xid_at_s": card.xid_at_s,
    }


def process_object(row: FleetProcess) -> dict[str, Any]:
    """Give one process on one card; `pid` is null for those that are added up."""
    return {
        "gpu": clean(row.gpu),
        "mig": row.mig,
        "pid": int(row.pid) if row.pid.isdecimal() else None,
        "others": row.pid == "other",
        "command": row.command,
        "user": row.user,
        "job": row.job,
        "rank": row.rank,
        "gpu_memory_bytes": row.gpu_memory_bytes,
        "sm_pct": finite(row.sm_pct),
        "allocated_bytes": row.allocated_bytes,
        "reserved_bytes": row.reserved_bytes,
        "expected_bytes": row.expected_bytes,
    }


def job_object(job: FleetJob) -> dict[str, Any]:
    """Give one job with its ranks."""
    return {
        "job": clean(job.name),
        "command": job.command,
        "user": job.user,
        "hosts": [clean(host) for host in job.hosts],
        "gpu_memory_bytes": job.gpu_memory_bytes,
        "ranks": [
            {
                "rank": rank.rank,
                "hosts": list(rank.hosts),
                "gpus": list(rank.gpus),
                "gpu_memory_bytes": rank.gpu_memory_bytes,
                "allocated_bytes": rank.allocated_bytes,
                "reserved_bytes": rank.reserved_bytes,
                "sm_pct": finite(rank.sm_pct),
                "odd": rank.odd,
            }
            for rank in job.ranks
        ],
    }


def finding_object(one: FleetFinding) -> dict[str, Any]:
    """Give one finding; `gpu` and `pid` are null where it is of the whole host."""
    return {
        "host": clean(one.host),
        "gpu": one.gpu,
        "pid": one.pid,
        "rule": one.rule,
        "severity": str(one.severity),
        "badge": clean(one.badge),
        "says": clean(one.says),
    }

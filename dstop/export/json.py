"""One sample as JSON: the contract that other programs rely on, plus all else that is known.

Plain numbers with the unit in the key; what is not known is null, and `unavailable` of the same object says
why. `"schema": 1` grows by new keys alone.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dstop.export.gpu_json import gpu_object
from dstop.export.process_json import process_object
from dstop.export.values import clean, finite

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dstop.model.finding import Finding
    from dstop.model.frame import Problem
    from dstop.model.host import Host
    from dstop.model.process import GpuProcess
    from dstop.model.replay import Replay
    from dstop.model.sample import Sample

SCHEMA = 1

_OF_HOST = {
    "cpu_pct": "needs two readings, or the host does not say",
    "container": "not in a container, as far as dstop can tell",
}


def sample_object(
    sample: Sample,
    *,
    problem: Problem | None = None,
    findings: Iterable[Finding] = (),
    replay: Replay | None = None,
) -> dict[str, Any]:
    """Give the sample in the shape of the contract.

    Args:
        sample: the newest there is.
        problem: why nothing can be read now, when the driver has gone.
        findings: what the live rules say of it, the worst first.
        replay: where in a recording it is; None for what is so now.
    """
    fault = {gpu.index: gpu.fault for gpu in sample.gpus}
    on_gpu: dict[int, list[GpuProcess]] = {}
    for row in sample.processes:
        on_gpu.setdefault(row.gpu_index, []).append(row)
    top = {
        "schema": SCHEMA,
        "taken_at_ns": sample.taken_at_ns,
        "host": clean(sample.host.name),
        "driver_version": sample.driver_version,
        "cuda_version": sample.cuda_version,
    }
    why = "the source gives none"
    return {
        **top,
        "gpus": [gpu_object(gpu, on_gpu.get(gpu.index, ())) for gpu in sample.gpus],
        "processes": [process_object(row, fault.get(row.gpu_index)) for row in sample.processes],
        "findings": _finding_objects(findings),
        "unattributed": [
            {"gpu_index": row.gpu_index, "bytes": row.bytes, "cause": clean(row.cause)}
            for row in sample.unattributed
        ],
        "host_stats": _host_object(sample.host),
        "notices": [clean(notice) for notice in sample.notices],
        "simulated": sample.simulated,
        "problem": None
        if problem is None
        else {"message": clean(problem.message), "fix": problem.fix, "since_ns": problem.since_ns},
        **({} if replay is None else {"replay": _replay_object(replay)}),
        "unavailable": {key: why for key, value in top.items() if value is None},
    }


def sample_line(
    sample: Sample,
    *,
    problem: Problem | None = None,
    findings: Iterable[Finding] = (),
    replay: Replay | None = None,
) -> bytes:
    """Give the sample as one line of UTF-8, for `--json` and for newline-delimited JSON."""
    return encoded(sample_object(sample, problem=problem, findings=findings, replay=replay))


def _replay_object(replay: Replay) -> dict[str, Any]:
    return {
        "label": replay.label,
        "at_ns": replay.at_ns,
        "begin_ns": replay.begin_ns,
        "end_ns": replay.end_ns,
        **({} if replay.notice is None else {"notice": clean(replay.notice)}),
    }


def _finding_objects(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    found = tuple(findings)
    if not found:
        return []
    from dstop.export.finding_json import finding_object  # noqa: PLC0415 - most machines have nothing to tell

    return [finding_object(finding) for finding in found]


def encoded(document: Mapping[str, Any]) -> bytes:
    """Give a document as one line of UTF-8."""
    # The standard library's encoder starts in a fifth of msgspec's time, and that is most of the cost.
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace") + b"\n"


def _host_object(host: Host) -> dict[str, Any]:
    row: dict[str, Any] = {
        "cpu_count": host.cpu_count,
        "cpu_pct": finite(host.cpu_pct),
        "load_1": finite(host.load_1),
        "memory_total_bytes": host.memory_total_bytes,
        "memory_used_bytes": host.memory_used_bytes,
        "swap_total_bytes": host.swap_total_bytes,
        "swap_used_bytes": host.swap_used_bytes,
        "uptime_s": finite(host.uptime_s),
        "container": host.container,
    }
    why = {key: _OF_HOST.get(key, "the host does not say") for key, value in row.items() if value is None}
    return {**row, "unavailable": why}

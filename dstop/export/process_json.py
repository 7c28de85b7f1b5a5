"""One process on one GPU in the shape of the JSON contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dstop.export.allocator_json import allocator_object
from dstop.export.gpu_json import unavailable
from dstop.export.values import clean, finite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.model.process import GpuProcess, ProcessFacts

_USUAL: Mapping[str, str] = {
    "gpu_uuid": "the driver does not say which card",
    "gpu_memory_bytes": "the driver gives no memory figure for this process",
    "sm_pct": "the driver has no utilisation sample for this process",
    "container": "not in a container, as far as its cgroup says",
    "rank": "not the rank of a distributed job, as far as its environment says",
    "world_size": "not the rank of a distributed job, as far as its environment says",
    "framework": "no framework was recognised",
    "model": "no model was recognised",
    "local_rank": "not the rank of a distributed job, as far as its environment says",
    "job": "no job was recognised",
    "gpu_instance_id": "not on a MIG instance, as far as the driver says",
    "compute_instance_id": "not on a MIG instance, as far as the driver says",
    "allocator": "dstop is not attached to the process",
    "footprint": "what the model should need is not known",
}
"""Why a contract key is null when whoever read the process gave no reason of its own."""

_HIDDEN = "the host does not show this process"


def process_object(row: GpuProcess, gpu_fault: str | None = None) -> dict[str, Any]:
    """Give the row; every null has its reason in `unavailable`."""
    contract = _contract(row)
    extras = _extras(row)
    reasons = {key: clean(reason) for key, reason in {**row.facts.unavailable, **row.unavailable}.items()}
    if gpu_fault:
        reasons = {"gpu_memory_bytes": clean(gpu_fault), "sm_pct": clean(gpu_fault), **reasons}
    row_object = {**contract, **extras}
    missing = {
        key: _USUAL.get(key, reasons.get("pid") or _HIDDEN)
        for key, value in row_object.items()
        if value is None
    }
    return {**row_object, "unavailable": {**missing, **unavailable(row_object, (), reasons, _HIDDEN)}}


def _contract(row: GpuProcess) -> dict[str, Any]:
    facts = row.facts
    return {
        "gpu_index": row.gpu_index,
        "gpu_uuid": row.gpu_uuid,
        "pid": row.pid,
        "type": row.type,
        "gpu_memory_bytes": row.gpu_memory_bytes,
        "sm_pct": finite(row.sm_pct),
        "user": _text(facts.user),
        "command": _text(facts.command),
        "cmdline": _cmdline(facts),
        "cpu_pct": finite(row.cpu_pct),
        "rss_bytes": row.rss_bytes,
        "started_at_s": finite(facts.started_at_s),
        "container": _text(facts.container),
        "rank": facts.rank,
        "world_size": facts.world_size,
        "framework": _text(facts.framework),
        "model": _text(facts.model),
        "allocator": None if row.allocator is None else allocator_object(row.allocator, row),
        "footprint": _footprint(row),
    }


def _extras(row: GpuProcess) -> dict[str, Any]:
    facts = row.facts
    return {
        "memory_pct": finite(row.memory_pct),
        "encoder_pct": finite(row.encoder_pct),
        "decoder_pct": finite(row.decoder_pct),
        "gpu_instance_id": row.gpu_instance_id,
        "compute_instance_id": row.compute_instance_id,
        "state": row.state,
        "ppid": facts.ppid,
        "uid": facts.uid,
        "local_rank": facts.local_rank,
        "job": _text(facts.job),
        "labels": {clean(key): clean(value) for key, value in facts.labels.items()},
        "figures": _figures(row),
    }


def _figures(row: GpuProcess) -> dict[str, Any]:
    """Give what it tells of itself; every null has its reason beside it."""
    told: dict[str, Any] = {clean(one.name): finite(one.value) for one in row.figures}
    why = {clean(one.name): clean(one.why or "") or "not known" for one in row.figures}
    missing = {name: why[name] for name, value in told.items() if value is None}
    return {**told, "unavailable": missing} if told else {}


def _cmdline(facts: ProcessFacts) -> list[str] | None:
    """Give the arguments: an empty list where there are none (a zombie), null where they cannot be read."""
    if not facts.cmdline and ("cmdline" in facts.unavailable or facts.command is None):
        return None
    return [clean(part) for part in facts.cmdline]


def _footprint(row: GpuProcess) -> dict[str, Any] | None:
    if row.expectation is None:
        return None
    from dstop.export.footprint_json import footprint_object  # noqa: PLC0415 - where a model is known

    return footprint_object(row.expectation)


def _text(text: str | None) -> str | None:
    return None if text is None else clean(text)

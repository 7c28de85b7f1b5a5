"""A snapshot as JSON: plain numbers, the unit in the key, null for what is not known with the reason beside it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dstop.export.values import clean
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.model.comparison import Comparison
    from dstop.model.study import Moment, Verdict
    from dstop.snapshot.study import DeviceStudy
    from dstop.snapshot.values import Settings

SCHEMA = 1
PIECES = 240
"""Of the timeline: each is the highest moment of equally many events."""
_NO_TIME = "torch wrote no times"
_NO_STEPS = "no training steps were recognised"
_NO_SETTINGS = "torch before 2.3 does not write them"


def snapshot_line(
    title: str,
    studies: Sequence[DeviceStudy],
    top: int,
    positions: Mapping[int, int] | None = None,
    verdicts: Mapping[int, Sequence[Verdict]] | None = None,
) -> bytes:
    """Write a snapshot as one line.

    Args:
        title: the name of the file.
        studies: its devices, or those that were chosen.
        top: sites of each moment at most.
        positions: device -> the moment that was asked for, which is then told beside the peak and the end.
        verdicts: device -> what a replay says of other conditions.
    """
    snapshot = studies[0].snapshot if studies else None
    told: dict[str, Any] = {
        "schema": SCHEMA,
        "file": title,
        "settings": settings_object(snapshot.settings if snapshot is not None else None),
        "devices": [device_object(study, top) for study in studies],
        "notes": list(snapshot.notes) if snapshot is not None else [],
    }
    if snapshot is None or snapshot.settings is None:
        told["unavailable"] = {"settings": _NO_SETTINGS if snapshot is not None else "the snapshot is empty"}
    for study, device in zip(studies, told["devices"], strict=True):
        if positions is not None:
            device["at"] = moment_object(study.moment(positions[study.device], top))
        if verdicts is not None and study.device in verdicts:
            device["what_if"] = [verdict_object(verdict) for verdict in verdicts[study.device]]
    return line(told)


def comparison_line(before: str, after: str, comparisons: Sequence[Comparison], top: int) -> bytes:
    """Write what grew from one snapshot to another as one line."""
    told = [plain(each) for each in comparisons]
    for each in told:
        each["sites"] = each["sites"][:top]
    return line({"schema": SCHEMA, "before": before, "after": after, "devices": told})


def line(told: Mapping[str, Any]) -> bytes:
    """Write an object as one line that any reader takes."""
    return (json.dumps(told, allow_nan=False) + "\n").encode()


def device_object(study: DeviceStudy, top: int) -> dict[str, Any]:
    """Give one device: its recording, its peak and end, failures, growth, free memory and timeline."""
    segments = study.snapshot.segments_of(study.device)
    begin_us, end_us = study.time_us(0), study.time_us(study.events)
    told: dict[str, Any] = {
        "device": study.device,
        "events": study.events,
        "begin_us": begin_us,
        "end_us": end_us,
        "steps": list(study.attribution.steps),
        "segments": len(segments),
        "peak": moment_object(study.moment(study.peak, top)),
        "end": moment_object(study.moment(study.events, top)),
        "failures": [plain(failure) for failure in study.failures],
        "growth": [plain(each) for each in study.growth],
        "fragmentation": plain(study.fragmentation),
        "timeline": plain(study.curve(PIECES)),
    }
    if begin_us is None:
        why = _NO_TIME if study.events else "nothing was recorded"
        told["unavailable"] = {"begin_us": why, "end_us": why}
    return told


def moment_object(moment: Moment) -> dict[str, Any]:
    """Give one moment."""
    told: dict[str, Any] = plain(moment)
    missing = {"time_us": _NO_TIME, "step": _NO_STEPS}
    unavailable = {key: why for key, why in missing.items() if told[key] is None}
    return told | ({"unavailable": unavailable} if unavailable else {})


def verdict_object(verdict: Verdict) -> dict[str, Any]:
    """Give one verdict; without a capacity nobody can say whether it fits."""
    told: dict[str, Any] = plain(verdict)
    why = "the snapshot does not show what the process may have: give --capacity"
    unavailable = {key: why for key in ("fits", "capacity_bytes", "headroom_bytes") if told[key] is None}
    if told["error_bytes"] is None:
        unavailable["error_bytes"] = "no segment was taken or given back while it was recorded"
    return told | ({"unavailable": unavailable} if unavailable else {})


def settings_object(settings: Settings | None) -> dict[str, Any] | None:
    """Give how the allocator was configured; a `max_split_bytes` of null is no limit."""
    if settings is None:
        return None
    divisions = {str(at): count for at, count in settings.roundup_power2_divisions.items()}
    return {
        "conf": None if settings.conf is None else clean(settings.conf),
        "expandable_segments": settings.expandable_segments,
        "max_split_bytes": settings.max_split_bytes,
        "gc_threshold": settings.gc_threshold,
        "roundup_power2_divisions": divisions,
    }


def plain(value: object) -> Any:
    """Give a value as JSON has it: its fields by name, tuples as lists, texts that are Unicode."""
    if isinstance(value, Value):
        names: tuple[str, ...] = value.__slots__
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, tuple):
        fields = getattr(value, "_fields", None)
        if fields is not None:
            return {name: plain(part) for name, part in zip(fields, value, strict=True)}
        return [plain(part) for part in value]
    return clean(value) if isinstance(value, str) else value

"""From `incident.json` to an Incident: unknown keys are ignored, wrong ones are absent, secrets are hidden again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dstop.pytorch.incident.typed import (
    count,
    count_map,
    counts_within,
    flag,
    items,
    number,
    record,
    text,
    text_map,
    texts,
)
from dstop.pytorch.incident.values import (
    Card,
    CardProcess,
    DeviceStats,
    Exit,
    Incident,
    Request,
    ThreadStack,
)
from dstop.sources.procfs.redaction import redact, redact_cmdline

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_MOST_DEVICES = 64
_MOST_FRAMES = 256
_MOST_LINES = 1000


def parse_incident(data: object, directory: Path, present: Collection[str], size_bytes: int) -> Incident:
    """Make the incident.

    Args:
        data: what `incident.json` held.
        directory: where it lies; its name tells the kind.
        present: the names of the plain files that are there.
        size_bytes: of them all.
    """
    told = record(data)
    return Incident(
        name=directory.name,
        directory=directory,
        kind=directory.name.rpartition("-")[2],
        at_ns=count(told.get("at_ns")),
        bytes=size_bytes,
        host=text(told.get("host")),
        pid=count(told.get("pid")),
        run=text(told.get("run")),
        run_name=text(told.get("name")),
        rank=count(told.get("rank")),
        local_rank=count(told.get("local_rank")),
        world_size=count(told.get("world_size")),
        cmdline=redact_cmdline(texts(told.get("cmdline"))),
        executable=text(told.get("executable")),
        cwd=text(told.get("cwd")),
        versions=text_map(told.get("versions")),
        environment=redact(text_map(told.get("environment"))),
        environment_names=texts(told.get("environment_names")),
        thread=text(record(told.get("thread")).get("name")),
        request=_request(told.get("request")),
        devices=tuple(_devices(told.get("devices"))),
        card=_card(told.get("card")),
        threads=tuple(_thread(item) for item in items(told.get("threads"))),
        files={role: name for role, name in text_map(told.get("files")).items() if name in present},
        history=flag(told.get("history")),
        backend=text(told.get("backend")),
        allocator_conf=text(told.get("allocator_conf")),
        took_ms=number(told.get("took_ms")),
        exit=_exit(told.get("exit")),
        unavailable=text_map(told.get("unavailable")),
    )


def _request(value: object) -> Request | None:
    told = record(value)
    if not told:
        return None
    return Request(
        device=count(told.get("device")),
        gpu_uuid=text(told.get("gpu_uuid")),
        segment_bytes=count(told.get("segment_bytes")),
        total_bytes=count(told.get("total_bytes")),
        free_bytes=count(told.get("free_bytes")),
    )


def _devices(value: object) -> list[DeviceStats]:
    found: list[DeviceStats] = []
    for item in items(value, _MOST_DEVICES):
        told = record(item)
        index = count(told.get("index"))
        if index is not None:
            stats = counts_within(told.get("stats"))
            found.append(DeviceStats(index=index, uuid=text(told.get("uuid")), stats=stats))
    return found


def _card(value: object) -> Card | None:
    told = record(value)
    if not told:
        return None
    rows = [record(item) for item in items(told.get("processes"))]
    processes = [(count(row.get("pid")), row) for row in rows]
    return Card(
        uuid=text(told.get("uuid")),
        total_bytes=count(told.get("total_bytes")),
        used_bytes=count(told.get("used_bytes")),
        reserved_bytes=count(told.get("reserved_bytes")),
        free_bytes=count(told.get("free_bytes")),
        processes=tuple(
            CardProcess(pid=pid, bytes=count(row.get("bytes")), command=_command(row.get("command")))
            for pid, row in processes
            if pid is not None
        ),
    )


def _command(value: object) -> str | None:
    shown = text(value)
    return None if shown is None else redact_cmdline([shown])[0]


def _thread(value: object) -> ThreadStack:
    told = record(value)
    return ThreadStack(
        id=count(told.get("id")) or 0,
        name=text(told.get("name")),
        current=flag(told.get("current")) or False,
        frames=tuple(
            frame for item in items(told.get("frames"), _MOST_FRAMES) if (frame := _frame(item)) is not None
        ),
    )


def _frame(value: object) -> tuple[str, int, str] | None:
    parts: list[Any] = items(value, 3)
    if len(parts) != 3:  # noqa: PLR2004 - file, line, function
        return None
    file, line, function = text(parts[0]), count(parts[1]), text(parts[2])
    return None if file is None or function is None else (file, line or 0, function)


def _exit(value: object) -> Exit | None:
    told = record(value)
    if not told:
        return None
    return Exit(
        code=count(told.get("code")),
        signal=count(told.get("signal")),
        signal_name=text(told.get("signal_name")),
        core_dumped=flag(told.get("core_dumped")) or False,
        wall_s=number(told.get("wall_s")),
        max_rss_bytes=count(told.get("max_rss_bytes")),
        user_s=number(told.get("user_s")),
        system_s=number(told.get("system_s")),
        memory_events=count_map(told.get("memory_events")),
        host_oom_kills=count(told.get("host_oom_kills")),
        memory_max_bytes=count(told.get("memory_max_bytes")),
        memory_current_bytes=count(told.get("memory_current_bytes")),
        memory_peak_bytes=count(told.get("memory_peak_bytes")),
        kernel_lines=texts(told.get("kernel_lines"), _MOST_LINES),
        oom_incidents=texts(told.get("oom_incidents")),
        unavailable=text_map(told.get("unavailable")),
    )

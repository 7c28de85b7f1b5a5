"""The sentences of a snapshot's text: what the file is, what failed in it, and what its free memory is good for."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.draw.balance_bar import amount_text
from dstop.draw.detail import heading
from dstop.draw.line import clean, fit, fit_line
from dstop.draw.own_code import callers_text
from dstop.draw.pin_lines import pin_lines
from dstop.draw.site_uses import place_text
from dstop.draw.ticks import span_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line
    from dstop.model.study import Failure, Fragmentation, FreeRow
    from dstop.snapshot.study import DeviceStudy
    from dstop.snapshot.values import Settings

_MATTERS = 0.1
"""The share of what is reserved from which on fragmentation is worth its lines."""
_PINS_MUCH = 0.05
"""The share of all that is pinned from which on a segment is worth a line."""
_MOST_ROWS = 12
_MOST_PINS = 8
_NAME = 24
_ASK = "--what-if expandable says whether it would have fitted."


def file_lines(title: str, studies: Sequence[DeviceStudy], width: int) -> list[Line]:
    """Say what the file is: its name, its settings, and of each device how long its recording is."""
    lines: list[Line] = [fit_line(((f" {clean(title)}", "head"),), width, "head")]
    if not studies:
        return lines + sentence_lines("a memory snapshot without segments and without events", width, "note")
    for study in studies:
        lines += sentence_lines(f"cuda:{study.device}: {_device_text(study)}", width)
    return lines + sentence_lines(settings_text(studies[0].snapshot.settings), width, "dim")


def _device_text(study: DeviceStudy) -> str:
    parts = []
    begin_us, end_us = study.time_us(0), study.time_us(study.events)
    if study.events:
        text = _count(study.events, "event")
        if begin_us is not None and end_us is not None and end_us > begin_us:
            text += f" over {span_text(max(0, end_us - begin_us))}"
        parts.append(text)
    if study.attribution.steps:
        parts.append(_count(len(study.attribution.steps), "step"))
    segments = study.snapshot.segments_of(study.device)
    held = sum(segment.total_bytes for segment in segments)
    parts.append(
        f"{_count(len(segments), 'segment')} with {amount_text(held)} when it was taken"
        if segments
        else "no segments when it was taken"
    )
    return ", ".join(parts)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' if number != 1 else ''}"


def settings_text(settings: Settings | None) -> str:
    """Say how the allocator was configured, as far as the snapshot tells."""
    if settings is None:
        return "allocator settings: the snapshot does not say (torch before 2.3)"
    if settings.conf:
        return f"PYTORCH_CUDA_ALLOC_CONF={settings.conf}"
    parts = []
    if settings.expandable_segments:
        parts.append("expandable_segments:True")
    if settings.max_split_bytes is not None:
        parts.append(f"max_split_size_mb:{settings.max_split_bytes >> 20}")
    if settings.gc_threshold:
        parts.append(f"garbage_collection_threshold:{settings.gc_threshold:g}")
    if settings.roundup_power2_divisions:
        told = ",".join(f"{at}:{count}" for at, count in settings.roundup_power2_divisions.items())
        parts.append(f"roundup_power2_divisions:[{told}]")
    return f"allocator settings: {','.join(parts) or 'the defaults'}"


def sentence_lines(text: str, width: int, role: str = "") -> list[Line]:
    """Give a sentence as lines; options (`--what-if`) and paths are broken nowhere."""
    rows = textwrap.wrap(clean(text), max(10, width - 2), break_on_hyphens=False) or [""]
    return [fit_line(((f" {row}", role),), width) for row in rows]


def failure_lines(study: DeviceStudy, failure: Failure, width: int) -> list[Line]:
    """Say what was asked for in vain, what there was, why that was not enough, and which line asked."""
    begin_us = study.time_us(0)
    when = ""
    if begin_us is not None and failure.time_us is not None and failure.time_us > begin_us:
        when = f" after {span_text(max(0, failure.time_us - begin_us))}"
    title = f" cuda:{study.device} ran out of memory{when} (event {failure.event:,})"
    cached = max(0, failure.reserved_bytes - failure.live_bytes)
    held = (
        f"{amount_text(failure.live_bytes)} live of {amount_text(failure.reserved_bytes)} reserved, "
        f"so {amount_text(cached) if cached else 'nothing'} was cached"
        if failure.reserved_bytes
        else "PyTorch itself had nothing reserved"
    )
    lines: list[Line] = [fit_line(((title, "bad"),), width)]
    lines += sentence_lines(
        f"asked for {amount_text(failure.request_bytes)}; "
        f"the driver had {amount_text(failure.device_free_bytes)} free; {held}",
        width,
    )
    if cached >= failure.request_bytes:
        lines += sentence_lines(f"{_pieces(study, failure)} {_ASK}", width, "warn")
    if failure.own is not None:
        lines.append(fit_line(((" by ", ""), (place_text(failure.own, width - 4), "mine")), width))
        callers = callers_text(failure.own, failure.places, width - 4)
        lines += [fit_line(((f"    {callers}", "dim"),), width)] if callers else []
    return lines


def fragment_lines(told: Fragmentation, width: int, *, failed: bool) -> list[Line]:
    """Say what the free memory is good for: one sentence, or all of it where it matters.

    Args:
        told: at the end of the recording.
        width: cells.
        failed: whether memory ran out.
    """
    if not told.reserved_bytes:
        return sentence_lines("nothing was reserved when the snapshot was taken", width, "dim")
    lines = [heading("free memory when the snapshot was taken", width)]
    if not told.free_bytes:
        return [*lines, *sentence_lines(f"none: all {amount_text(told.reserved_bytes)} are in use", width)]
    back = amount_text(told.reclaimable_bytes) if told.reclaimable_bytes else "nothing"
    text = (
        f"{amount_text(told.free_bytes)} of {amount_text(told.reserved_bytes)} reserved: a flush gives {back} back "
        f"to the driver, {amount_text(told.split_bytes)} between blocks in use stay; the largest hole is "
        f"{amount_text(told.largest_hole_bytes)}"
    )
    lines += sentence_lines(text, width)
    if not failed and told.split_bytes < _MATTERS * told.reserved_bytes:
        return lines
    if len(told.rows) > 1:
        lines += _rows(told.rows, width)
    large = tuple(pin for pin in told.pins if pin.free_bytes >= _PINS_MUCH * told.split_bytes)
    pins = pin_lines(replace(told, pins=large), width)[1:]
    if pins:
        lines.append(fit_line(((" in the way: what keeps how much of a segment free", "label"),), width))
    return [*lines, *pins[:_MOST_PINS]]


def _pieces(study: DeviceStudy, failure: Failure) -> str:
    """Say why what was cached did not help; a snapshot that was taken later has the holes of later."""
    hole = study.fragmentation.largest_hole_bytes
    text = "more was cached than was asked for, in pieces that were too small"
    if hole < failure.request_bytes:
        return f"{text}: the largest hole is {amount_text(hole)}."
    later = _count(study.events - failure.event - 1, "event")
    return f"{text}; the snapshot was taken {later} later, with {amount_text(hole)} as its largest hole."


def _rows(rows: Sequence[FreeRow], width: int) -> list[Line]:
    """Draw a line a pool and stream, those with most free memory first."""
    shown = sorted(rows, key=lambda row: -row.free_bytes)[:_MOST_ROWS]
    head = fit(" pool", _NAME) + "".join(fit(name, 12, right=True) for name in ("reserved", "free", "hole"))
    lines: list[Line] = [fit_line(((head, "label"),), width)]
    for row in shown:
        amounts = (row.reserved_bytes, row.free_bytes, row.largest_hole_bytes)
        text = fit(f" {_pool_text(row)}", _NAME)
        text += "".join(fit(amount_text(count), 12, right=True) for count in amounts)
        lines.append(fit_line(((text, ""),), width))
    if len(rows) > len(shown):
        lines += sentence_lines(f"and {len(rows) - len(shown)} more (--json)", width, "dim")
    return lines


def _pool_text(row: FreeRow) -> str:
    pool = "" if row.pool == (0, 0) else f" of {row.pool[0]}:{row.pool[1]}"
    stream = "" if row.stream == 0 else f" {row.stream:#x}"
    return f"{'small' if row.small else 'large'}{pool}{stream}"

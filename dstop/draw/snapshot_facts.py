"""The sentences of a snapshot's text: what the file is, what failed in it, and what its free memory is good for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.balance_bar import amount_text
from dstop.draw.detail import heading, wrapped
from dstop.draw.line import clean, fit, fit_line
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
_MOST_ROWS = 12
_MOST_PINS = 8
_NAME = 24


def file_lines(title: str, studies: Sequence[DeviceStudy], width: int) -> list[Line]:
    """Say what the file is: its name, its settings, and of each device how long its recording is."""
    lines: list[Line] = [fit_line(((f" {clean(title)}", "head"),), width, "head")]
    if not studies:
        return lines + wrapped("a memory snapshot without segments and without events", width, "note")
    for study in studies:
        lines += wrapped(f"cuda:{study.device}: {_device_text(study)}", width)
    return lines + wrapped(settings_text(studies[0].snapshot.settings), width, "dim")


def _device_text(study: DeviceStudy) -> str:
    parts = []
    begin_us, end_us = study.time_us(0), study.time_us(study.events)
    if study.events:
        text = _count(study.events, "event")
        if begin_us is not None and end_us is not None:
            text += f" over {span_text(max(0, end_us - begin_us))}"
        parts.append(text)
    if study.attribution.steps:
        parts.append(_count(len(study.attribution.steps), "step"))
    segments = study.snapshot.segments_of(study.device)
    held = sum(segment.total_bytes for segment in segments)
    parts.append(f"{_count(len(segments), 'segment')} with {amount_text(held)} when it was taken")
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


def sentence_lines(text: str, width: int) -> list[Line]:
    """Give a sentence in the ordinary look."""
    return wrapped(text, width)


def failure_lines(device: int, failure: Failure, hole: int, begin_us: int | None, width: int) -> list[Line]:
    """Say what was asked for in vain, what there was, and which line asked.

    Args:
        device: the number of the card.
        failure: what failed.
        hole: the largest free block that the request might have had when the snapshot was taken, in bytes.
        begin_us: when the recording began.
        width: cells.
    """
    when = ""
    if begin_us is not None and failure.time_us is not None:
        when = f" after {span_text(max(0, failure.time_us - begin_us))}"
    title = f" cuda:{device} ran out of memory{when} (event {failure.event:,})"
    cached = max(0, failure.reserved_bytes - failure.live_bytes)
    lines: list[Line] = [fit_line(((title, "bad"),), width)]
    lines += wrapped(
        f"asked for {amount_text(failure.request_bytes)}; "
        f"the driver had {amount_text(failure.device_free_bytes)} free; "
        f"{amount_text(failure.live_bytes)} live of {amount_text(failure.reserved_bytes)} reserved, "
        f"so {amount_text(cached)} were cached",
        width,
    )
    if cached >= failure.request_bytes:
        lines += wrapped(
            f"more was cached than was asked for, in pieces: the largest hole is {amount_text(hole)} "
            "in the snapshot. --what-if expandable says whether it would have fitted.",
            width,
            "warn",
        )
    if failure.own is not None:
        lines.append(fit_line(((" by ", ""), (place_text(failure.own, width - 4), "mine")), width))
    return lines


def fragment_lines(told: Fragmentation, width: int, *, failed: bool) -> list[Line]:
    """Say what the free memory is good for: one sentence, or all of it where it matters.

    Args:
        told: at the end of the recording.
        width: cells.
        failed: whether memory ran out.
    """
    if not told.reserved_bytes:
        return wrapped("nothing is reserved when the snapshot was taken", width, "dim")
    text = (
        f"{amount_text(told.free_bytes)} of {amount_text(told.reserved_bytes)} reserved are free: a flush gives "
        f"{amount_text(told.reclaimable_bytes)} back to the driver, {amount_text(told.split_bytes)} "
        f"{'lie' if told.split_bytes != 1 else 'lies'} between blocks in use; the largest hole is "
        f"{amount_text(told.largest_hole_bytes)}"
    )
    lines = [heading("free memory when the snapshot was taken", width), *wrapped(text, width)]
    if not failed and told.split_bytes < _MATTERS * told.reserved_bytes:
        return lines
    if len(told.rows) > 1:
        lines += _rows(told.rows, width)
    return [*lines, *pin_lines(told, width)[: 1 + _MOST_PINS]]


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
        lines += wrapped(f"and {len(rows) - len(shown)} more (--json)", width, "dim")
    return lines


def _pool_text(row: FreeRow) -> str:
    pool = "" if row.pool == (0, 0) else f" of {row.pool[0]}:{row.pool[1]}"
    stream = "" if row.stream == 0 else f" {row.stream:#x}"
    return f"{'small' if row.small else 'large'}{pool}{stream}"

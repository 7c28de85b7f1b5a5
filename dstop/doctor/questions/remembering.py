"""Lines of evidence out of a snapshot: what was live, in which holes nothing fitted, what pins them, what grows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from dstop.doctor.evidence.memory import line_text
from dstop.doctor.questions.arithmetic import gib
from dstop.model.diagnosis import Evidence
from dstop.units import MIB

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dstop.doctor.case import Case
    from dstop.doctor.evidence.memory import Kept, Memory
    from dstop.model.study import Growth, SiteUse

_SMALL_BYTES = 1 << 20
"""Requests up to it have a pool of their own (`kSmallSize` of c10/cuda/CUDACachingAllocator.cpp)."""
_SHARED = (0, 0)
_SHOWN = 3
_FEW_STEPS = 3
"""With no more, growth is looked for in equal pieces of the recording (`dstop.snapshot.growth`)."""
_WORDS = {"optimizer_state": "optimizer state", "logits": "logits and loss", "unknown": "of unknown use"}
_TELLING_BYTES = 256 * MIB


class Room(NamedTuple):
    """What an allocator had free for a request. Bytes."""

    tried_bytes: int
    free_bytes: int
    """On its stream, in its pool, in segments that are in use."""
    hole_bytes: int
    """The largest piece of it."""
    elsewhere_bytes: int
    """Free in other pools and on other streams, which it cannot have."""


def room_of(case: Case) -> Room | None:
    """Give what was free for the request that failed; None without a snapshot of that moment."""
    memory, failure = case.memory, case.failure
    if memory is None or failure is None or not memory.is_of_failure or failure.tried_bytes is None:
        return None
    refused = memory.failure
    tried = failure.tried_bytes if refused is None else refused.request_bytes
    stream = _busiest(memory) if refused is None else refused.stream
    small = tried <= _SMALL_BYTES
    mine = [
        row
        for row in memory.fragmentation.rows
        if row.pool == _SHARED and row.stream == stream and row.small == small
    ]
    free = sum(row.free_bytes for row in mine)
    return Room(
        tried_bytes=tried,
        free_bytes=free,
        hole_bytes=max((row.largest_hole_bytes for row in mine), default=0),
        elsewhere_bytes=memory.fragmentation.free_bytes - free,
    )


def _busiest(memory: Memory) -> int:
    rows = [row for row in memory.fragmentation.rows if row.pool == _SHARED]
    return max(rows, key=lambda row: row.reserved_bytes).stream if rows else 0


def told(memory: Memory, says: str, value: float | None = None) -> Evidence:
    """Make evidence of a figure of the snapshot, with its place."""
    return Evidence(source=str(memory.place), says=says, value=value)


def live_lines(case: Case) -> list[Evidence]:
    """Say what was live, by what it is for: the three largest."""
    memory = case.memory
    if memory is None or not memory.live_bytes or not memory.moment.shares:
        return []
    largest = sorted(memory.moment.shares, key=lambda share: -share.size_bytes)[:_SHOWN]
    parts = ", ".join(
        f"{gib(share.size_bytes)} {_WORDS.get(share.category, share.category)}" for share in largest
    )
    when = "at the failure" if memory.failure is not None or memory.is_of_failure else "at the end"
    return [told(memory, f"{gib(memory.live_bytes)} was live {when}: {parts}", memory.live_bytes)]


def room_lines(case: Case) -> list[Evidence]:
    """Say which pieces the request found."""
    memory, room = case.memory, room_of(case)
    if memory is None or room is None or not room.free_bytes:
        return []
    says = (
        f"on its stream and in its pool {gib(room.free_bytes)} was free in pieces, the largest "
        f"{gib(room.hole_bytes)}: {gib(room.tried_bytes)} fits in none"
    )
    if room.elsewhere_bytes >= _TELLING_BYTES:
        says += f"; {gib(room.elsewhere_bytes)} more is free in pools or on streams that it cannot use"
    return [told(memory, says, room.hole_bytes)]


def pin_lines(memory: Memory, most: int = 2) -> list[Evidence]:
    """Say who holds the blocks that keep mostly free segments."""
    by_site: dict[str, tuple[SiteUse, int, int, int]] = {}
    for pin in memory.fragmentation.pins:
        name = site_text(pin.site)
        site, segments, free, held = by_site.get(name, (pin.site, 0, 0, 0))
        by_site[name] = (site, segments + 1, free + pin.free_bytes, held + pin.block_bytes)
    ranked = sorted(by_site.items(), key=lambda item: -item[1][2])[:most]
    lines: list[Evidence] = []
    for name, (_, segments, free, held) in ranked:
        pinned = "1 segment" if segments == 1 else f"{segments} segments"
        says = f"{name} pins {pinned} with {gib(free)} free, by {gib(held)} of its own"
        lines.append(told(memory, says, free))
    return lines


def growth_line(memory: Memory, growth: Growth) -> Evidence:
    """Say which site holds more from step to step."""
    held = growth.held_bytes
    what = "step" if memory.steps > _FEW_STEPS else "piece of the recording"
    says = (
        f"{site_text(growth.site)} holds {gib(growth.per_step_bytes)} more after each {what}: "
        f"{gib(held[0])} after the first of {len(held)}, {gib(held[-1])} after the last"
    )
    return told(memory, says, growth.per_step_bytes)


def by_line(growth: Iterable[Growth]) -> list[Growth]:
    """Put together what grows by one line of the reader's own; stacks beneath it differ, the remedy does not."""
    together: dict[str, Growth] = {}
    for each in growth:
        name = site_text(each.site)
        other = together.get(name)
        together[name] = each if other is None else _added(other, each)
    return sorted(together.values(), key=lambda each: -each.per_step_bytes)


def _added(one: Growth, other: Growth) -> Growth:
    return replace(
        one,
        per_step_bytes=one.per_step_bytes + other.per_step_bytes,
        held_bytes=tuple(sum(pair) for pair in zip(one.held_bytes, other.held_bytes, strict=False)),
    )


def kept_line(memory: Memory, what: str, kept: Kept) -> Evidence:
    """Say what a phase left, and the line that has most of it."""
    most = "" if kept.site is None else f", {gib(kept.site.size_bytes)} of it by {site_text(kept.site)}"
    return told(memory, f"{gib(kept.size_bytes)} {what}{most}", kept.size_bytes)


def site_text(site: SiteUse) -> str:
    """Name a site by its own line, with the tensor's name where the process told it."""
    return f"{site.name}, {line_text(site.own)}" if site.name else line_text(site.own)

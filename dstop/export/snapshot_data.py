"""What the script of a snapshot's page reads: points, moments, flames and segments, bounded whatever the recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.draw.line import clean
from dstop.export.snapshot_points import marked
from dstop.export.snapshot_timeline_svg import capacity_of
from dstop.model.study import CATEGORIES, CONFIDENCES
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.export.snapshot_names import Names
    from dstop.export.snapshot_points import Point
    from dstop.export.snapshot_segments import Bar, Group, Piece
    from dstop.model.study import Moment
    from dstop.snapshot.study import DeviceStudy

UNIT = 512
"""Bytes; every block is a multiple of it, and the figures are shorter."""
_MOST_NAME = 120


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Room(Value):
    """How much of everything one device's part of a page may have: a page of many devices stays as small."""

    pieces: int
    """Of the timeline."""
    moments: int
    """At which the cursor can say who holds what."""
    sites: int
    """At each of them."""
    flame_sites: int
    segments: int
    blocks: int
    characters: int
    """Of the names of frames and sites."""


def room_for(devices: int) -> Room:
    """Share a page of a few MB among devices."""
    part = max(1, devices)
    return Room(
        pieces=max(500, 10_000 // part),
        moments=max(30, 240 // part),
        sites=8,
        flame_sites=max(100, 500 // part),
        segments=max(300, 3000 // part),
        blocks=max(2000, 24_000 // part),
        characters=1_200_000 // part,
    )


def device_data(
    study: DeviceStudy, points: Sequence[Point], groups: Sequence[Group], names: Names, room: Room
) -> dict[str, object]:
    """Give one device as plain values; bytes in units of `UNIT`.

    Args:
        study: of the device.
        points: of its timeline.
        groups: of its segment map.
        names: that take up its sites and frames.
        room: what it may have.
    """
    start = next((point.time_us for point in points if point.time_us), 0)
    used = [number for number in range(len(CATEGORIES)) if any(point.shares[number] for point in points)]
    return {
        "device": study.device,
        "events": study.events,
        "event": [point.event for point in points],
        "time": [max(0, point.time_us - start) if point.time_us else 0 for point in points] if start else [],
        "live": [point.live_bytes // UNIT for point in points],
        "reserved": [point.reserved_bytes // UNIT for point in points],
        "shares": {str(number): [point.shares[number] // UNIT for point in points] for number in used},
        "moments": [_moment(study.moment(at, room.sites), names) for at in _looked_at(study, points, room)],
        "peak": study.peak,
        "capacity": (capacity_of(study) or 0) // UNIT,
        "failures": [[each.event, each.request_bytes // UNIT] for each in study.failures[:100]],
        "flames": [_flame(title, study.moment(at, room.flame_sites), names) for title, at in _views(study)],
        "groups": [[_bar(bar, study, names) for bar in group.bars] for group in groups],
    }


def _looked_at(study: DeviceStudy, points: Sequence[Point], room: Room) -> Sequence[int]:
    step = max(1, -(-len(points) // room.moments))
    chosen = {point.event for point in points[::step]} | {0, study.events, *marked(study)}
    return sorted(chosen)


def _moment(moment: Moment, names: Names) -> list[object]:
    sites = [[names.site(site), site.size_bytes // UNIT, site.blocks] for site in moment.sites]
    return [moment.event, moment.phase, moment.step, moment.static_bytes // UNIT, sites]


def _views(study: DeviceStudy) -> Sequence[tuple[str, int]]:
    failures = marked(study)[1:]
    titles = (
        [f"failure {number + 1}" for number in range(len(failures))] if len(failures) > 1 else ["the failure"]
    )
    views = [(title, at) for title, at in zip(titles, failures, strict=False)]
    return [("the peak", study.peak), *views, ("the end", study.events)]


def _flame(title: str, moment: Moment, names: Names) -> list[object]:
    sites = [[names.site(site), site.size_bytes // UNIT] for site in moment.sites]
    return [title, moment.event, moment.live_bytes // UNIT, sites]


def _bar(bar: Bar, study: DeviceStudy, names: Names) -> list[object]:
    segment = bar.segment
    place = [round(bar.x, 2), round(bar.width, 2), bar.line]
    return [
        *place,
        f"{segment.address:#x}",
        segment.total_bytes // UNIT,
        int(segment.expandable),
        [_piece(piece, study, names) for piece in bar.pieces],
    ]


def _piece(piece: Piece, study: DeviceStudy, names: Names) -> list[object]:
    kind = CATEGORIES.index(piece.kind) if piece.kind in CATEGORIES else piece.kind
    told: list[object] = [piece.size_bytes // UNIT, kind]
    if piece.blocks > 1:
        return [*told, piece.blocks]
    if piece.holder is not None:
        label = names.label(study.snapshot.stacks, piece.holder.stack)
        told += [1, label, piece.holder.requested_bytes]
        if piece.holder.name:
            told.append(clean(piece.holder.name[:_MOST_NAME]))
    return told


def legend() -> dict[str, object]:
    """Give the words that numbers stand for."""
    return {"unit": UNIT, "categories": CATEGORIES, "confidences": CONFIDENCES}

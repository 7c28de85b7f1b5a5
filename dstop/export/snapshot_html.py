"""A snapshot as one HTML file that opens anywhere: timeline, segment map, flame graph, and everything as tables.

Without a script the drawings stand still and the tables are whole; the script makes the drawings answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import dstop
from dstop.draw.balance_bar import amount_text
from dstop.draw.category_bar import TITLES
from dstop.export import snapshot_tables as tables
from dstop.export.markup import Markup, element, joined, one_line
from dstop.export.page import data, page
from dstop.export.snapshot_data import device_data, legend, room_for
from dstop.export.snapshot_names import Names
from dstop.export.snapshot_points import points_of
from dstop.export.snapshot_segments import groups_of, map_svg, said
from dstop.export.snapshot_timeline_svg import patterns, tick_texts, timeline_svg
from dstop.snapshot.holders import holders_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dstop.export.snapshot_data import Room
    from dstop.export.snapshot_points import Point
    from dstop.export.snapshot_segments import Group
    from dstop.model.study import Moment, Verdict
    from dstop.snapshot.study import DeviceStudy

MOST_DEVICES = 16
_KINDS = {
    **TITLES,
    "used": "used, not told apart",
    "pending": "freed, another stream still uses it",
    "free": "free",
}
_STYLES = ("doctor_report.css", "snapshot_report.css")
_SCRIPTS = ("snapshot_report.js", "snapshot_timeline.js", "snapshot_flame.js", "snapshot_map.js")


def snapshot_html(studies: Sequence[DeviceStudy], title: str, verdicts: Sequence[Verdict] = ()) -> str:
    """Write a snapshot as a page of a few MB at most, however long the recording was.

    Args:
        studies: the devices; beyond `MOST_DEVICES` they are named and not drawn.
        title: usually the name of the file.
        verdicts: of the replay, where it was asked.
    """
    shown = studies[:MOST_DEVICES]
    room = room_for(len(shown))
    names = Names(room.characters * max(1, len(shown)))
    sections: list[Markup] = []
    devices: list[dict[str, object]] = []
    for number, study in enumerate(shown):
        points = points_of(study, room.pieces)
        groups = groups_of(
            study.snapshot.segments_of(study.device), holders_of(study), room.segments, room.blocks
        )
        devices.append(device_data(study, points, groups, names, room))
        sections.append(
            element("section", *_device(study, points, groups, room), class_="device", data_number=number)
        )
    head = [
        element("p", element("b", "dstop"), " memory snapshot", class_="over"),
        element("h1", one_line(title)),
    ]
    told = legend() | {"titles": TITLES, "devices": devices}
    told |= {"sites": names.sites, "frames": names.frames, "labels": names.labels}
    main = element(
        "main", *head, *_verdicts(verdicts), *_notes(studies), *sections, _footer(), class_="snapshot"
    )
    return page(title, (patterns(), main, data("snapshot-data", told)), _STYLES, _SCRIPTS)


def _verdicts(verdicts: Sequence[Verdict]) -> Iterator[Markup]:
    if verdicts:
        yield element("h2", "Would it have fitted?")
        yield tables.verdicts_table(verdicts)


def _notes(studies: Sequence[DeviceStudy]) -> Iterator[Markup]:
    if not studies:
        yield element("p", "The snapshot has neither segments nor events.")
        return
    snapshot = studies[0].snapshot
    notes = [element("li", one_line(note)) for note in snapshot.notes[:20]]
    if snapshot.settings is not None and snapshot.settings.conf:
        conf = element("code", f"PYTORCH_CUDA_ALLOC_CONF={one_line(snapshot.settings.conf)}")
        notes.append(element("li", "The allocator was configured by ", conf, "."))
    if len(studies) > MOST_DEVICES:
        notes.append(element("li", f"{len(studies) - MOST_DEVICES:,} more devices are not shown."))
    if notes:
        yield element("ul", *notes, class_="notes")


def _device(
    study: DeviceStudy, points: Sequence[Point], groups: Sequence[Group], room: Room
) -> Iterator[Markup]:
    peak, end = study.moment(study.peak, tables.MOST_ROWS), study.moment(study.events, tables.MOST_ROWS)
    yield element("h2", f"Device {study.device}", class_="name")
    yield _figures(study, peak, end)
    yield from tables.failures_list(study.failures)
    yield element("h3", "Memory over the recording")
    yield from _timeline(study, points)
    yield element("h3", "What it is for")
    yield tables.shares_table(peak, end)
    yield element("h3", "Who asked for what was live at the peak")
    yield tables.sites_table(peak.sites, peak.live_bytes)
    yield element("h3", "The same by call stack")
    yield element(
        "div",
        element("noscript", "The flame graph needs a script."),
        class_="flame-place",
        data_most=room.flame_sites,
    )
    if study.growth:
        yield element("h3", "What grows from step to step")
        yield tables.growth_table(study.growth)
    if groups:
        yield element("h3", "What is free, and what it is good for")
        yield from tables.fragmentation_tables(study.fragmentation)
    yield element("h3", "Segments when the snapshot was taken")
    yield from _segments(groups, len(study.snapshot.segments_of(study.device)))


def _figures(study: DeviceStudy, peak: Moment, end: Moment) -> Markup:
    known = (
        ("live at the peak", amount_text(peak.live_bytes), None),
        ("reserved then", amount_text(peak.reserved_bytes), None),
        ("older than the recording", amount_text(peak.static_bytes), None),
        ("live at the end", amount_text(end.live_bytes), None),
        ("events", f"{study.events:,}", None),
        ("failures", f"{len(study.failures):,}", "short" if study.failures else None),
    )
    shown = [
        element("div", element("dt", name), element("dd", text), class_=sign) for name, text, sign in known
    ]
    return element("dl", *shown, class_="figures")


def _timeline(study: DeviceStudy, points: Sequence[Point]) -> Iterator[Markup]:
    if not study.events:
        yield element(
            "p", "Nothing was recorded: there are segments, and no events before them.", class_="cost"
        )
        return
    ticks = (element("span", text) for text in tick_texts(points, study))
    yield element(
        "div",
        element("div", *ticks, class_="ticks", aria_hidden="true"),
        element("div", timeline_svg(points, study), class_="chart"),
        class_="timeline-place",
    )
    used = [name for number, name in enumerate(TITLES) if any(point.shares[number] for point in points)]
    legend_items = [element("li", tables.category_cell(name)) for name in used]
    lines = (("reserved", "reserved"), ("peak", "the peak"))
    legend_items += [element("li", element("span", class_=f"key-{sign}"), text) for sign, text in lines]
    if study.failures:
        legend_items.append(element("li", element("span", class_="key-oom"), "out of memory"))
        legend_items.append(element("li", element("span", class_="key-capacity"), "what could be had"))
    yield element("ul", *legend_items, class_="legend")


def _segments(groups: Sequence[Group], segments: int) -> Iterator[Markup]:
    if not groups:
        yield element("p", "There are no segments.", class_="cost")
        return
    kinds = {piece.kind for group in groups for bar in group.bars for piece in bar.pieces}
    items = [element("li", tables.swatch(kind), text) for kind, text in _KINDS.items() if kind in kinds]
    yield element("ul", *items, class_="legend")
    for number, group in enumerate(groups):
        yield element("h4", group.title)
        yield element("p", said(group), class_="cost")
        yield element("div", map_svg(group, number), class_="map-place")
    shown = sum(len(group.bars) + group.left_out for group in groups)
    if shown < segments:
        yield element("p", f"{segments - shown:,} segments of smaller pools are not drawn.", class_="cost")


def _footer() -> Markup:
    text = "Bytes by category are read off stacks unless the process told them: see how sure."
    return element("footer", joined((text, f" Written by dstop {dstop.__version__}.")))

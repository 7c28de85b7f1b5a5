"""The segment map, the allocation sites and the summary of a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.errors import AttachError
from dstop.model.segment import ACTIVE, INACTIVE, PENDING, Block, Place, Segment, SegmentMap, Site
from dstop.pytorch.parse.checks import MOST_INDEX, count, items, text
from dstop.pytorch.parse.stats import MOST_DEVICES
from dstop.sources.procfs.reading import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_SEGMENTS = 100_000
MOST_BLOCKS = 500_000
_MOST_SITES, _MOST_PLACES = 1000, 200
_LONGEST_SUMMARY, _LONGEST_LINE = 256 * 1024, 400
_STATES = {"a": ACTIVE, "p": PENDING, "i": INACTIVE}
_SEGMENT_PARTS, _SITE_PARTS = 10, 4


def parse_segments(reply: Mapping[str, object]) -> SegmentMap:
    """Make a map of the answer to `segments`; a segment that cannot be true is counted among those left out.

    Raises:
        AttachError: when there is no list of segments in it.
    """
    given = _list(reply, "segments")
    found: list[Segment] = []
    room = MOST_BLOCKS
    for entry in items(given, MOST_SEGMENTS):
        segment = _segment(entry, room)
        if segment is not None:
            found.append(segment)
            room -= len(segment.blocks)
    found.sort(key=lambda segment: (segment.device_index, segment.address))
    return SegmentMap(
        taken_at_ns=count(reply.get("taken_ns")) or 0,
        segments=tuple(found),
        left_out=(count(reply.get("left_out"), MOST_INDEX) or 0) + len(given) - len(found),
    )


def _segment(entry: object, room: int) -> Segment | None:
    if not isinstance(entry, list) or len(entry) < _SEGMENT_PARTS:
        return None
    device, address, total, allocated, active, stream = map(count, entry[:6])
    if device is None or address is None or total is None or allocated is None or active is None:
        return None
    if device >= MOST_DEVICES or not allocated <= active <= total:
        return None
    blocks = _blocks(entry[9], room)
    if blocks is None:
        return None
    return Segment(
        device_index=device,
        address=address,
        total_bytes=total,
        allocated_bytes=allocated,
        active_bytes=active,
        stream=stream or 0,
        small=entry[6] is True,
        pool=_pool(entry[7]),
        expandable=entry[8] is True,
        blocks=blocks,
    )


def _pool(value: object) -> tuple[int, int]:
    parts = [count(part) for part in items(value, 2)]
    match parts:
        case [int(owner), int(number)]:
            return owner, number
    return 0, 0


def _blocks(value: object, room: int) -> tuple[Block, ...] | None:
    """Read the blocks of one segment; None where one of them is wrong, or they are too many."""
    if not isinstance(value, list) or len(value) > room:
        return None
    blocks: list[Block] = []
    for entry in value:
        match entry:
            case [size, requested, str(letter)] if (held := count(size)) is not None and letter in _STATES:
                blocks.append(Block(held, count(requested), _STATES[letter]))
            case _:
                return None
    return tuple(blocks)


def parse_sites(reply: Mapping[str, object]) -> tuple[Site, ...]:
    """Make sites of the answer to `sites`, biggest first; those that cannot be read are left out.

    Raises:
        AttachError: when there is no list of sites in it.
    """
    found = [
        site for entry in items(_list(reply, "sites"), _MOST_SITES) if (site := _site(entry)) is not None
    ]
    return tuple(sorted(found, key=lambda site: -site.size_bytes))


def _site(entry: object) -> Site | None:
    if not isinstance(entry, list) or len(entry) < _SITE_PARTS:
        return None
    device, size, blocks = count(entry[0], MOST_DEVICES), count(entry[1]), count(entry[2])
    if device is None or size is None or blocks is None:
        return None
    places = tuple(place for part in items(entry[3], _MOST_PLACES) if (place := _place(part)) is not None)
    return Site(device_index=device, size_bytes=size, blocks=blocks, places=places)


def _place(value: object) -> Place | None:
    match value:
        case [file, line, function]:
            return Place(text(file, 400) or "?", count(line, MOST_INDEX) or 0, text(function) or "?")
    return None


def parse_summary(reply: Mapping[str, object]) -> str:
    """Give the text of `torch.cuda.memory_summary`, line by line harmless to a terminal.

    Raises:
        AttachError: when there is no text in it.
    """
    told = reply.get("text")
    if not isinstance(told, str):
        raise _unreadable("summary")
    return "\n".join(clean(line[:_LONGEST_LINE]) for line in told[:_LONGEST_SUMMARY].split("\n"))


def _list(reply: Mapping[str, object], name: str) -> list[object]:
    value = reply.get(name)
    if not isinstance(value, list):
        raise _unreadable(name)
    return value


def _unreadable(name: str) -> AttachError:
    return AttachError(
        f"the hook in the process sent no readable {name}",
        fix="detach and attach again: it may be of another version",
    )

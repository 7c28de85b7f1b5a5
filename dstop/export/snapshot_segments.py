"""The segment map: all segments of a pool to one scale, laid in lines as text is, each cut into its blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dstop.draw.balance_bar import amount_text
from dstop.export.markup import Markup, element
from dstop.export.snapshot_timeline_svg import has_pattern
from dstop.model.segment import INACTIVE, PENDING
from dstop.model.study import CATEGORIES
from dstop.snapshot.values import SHARED_POOL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dstop.snapshot.holders import Holder
    from dstop.snapshot.values import Block, Segment

WIDTH = 1000
"""Units of a line."""
PITCH, BAR = 18, 14
"""Of a line and of the bar in it, in pixels."""
MOST_SEGMENTS, MOST_BLOCKS, MOST_GROUPS = 3000, 24_000, 24
_LINES = 10
"""About how many lines a pool takes; a segment that is larger than a line would be sets the scale instead."""
_GAP = 3
_SEAM = 0.7
"""Between blocks, so that neighbours of one kind can be told apart."""
_OVER = 1.02
"""By how much a line may be longer, for the gaps in it."""
_LEAST = 0.25
"""Units; narrower neighbours of one kind are drawn as one."""
FREE_KIND, PENDING_KIND, USED_KIND = "free", "pending", "used"


class Piece(NamedTuple):
    """A block as drawn, or neighbours of one kind that are too narrow to be drawn apart."""

    size_bytes: int
    kind: str
    """A category; or `free`, `pending` (freed, another stream still uses it), `used` (too many to be told apart)."""
    blocks: int
    holder: Holder | None
    """Of a block alone."""


class Bar(NamedTuple):
    """A segment as drawn."""

    segment: Segment
    x: float
    width: float
    line: int
    pieces: tuple[Piece, ...]


class Group(NamedTuple):
    """The segments that serve the same requests: of one pool, one stream, one size class."""

    title: str
    total_bytes: int
    free_bytes: int
    line_bytes: int
    """What a whole line would be."""
    lines: int
    bars: tuple[Bar, ...]
    left_out: int
    """Segments that are not drawn."""


def groups_of(
    segments: Sequence[Segment],
    holders: Mapping[int, Holder],
    most_segments: int = MOST_SEGMENTS,
    most_blocks: int = MOST_BLOCKS,
) -> tuple[Group, ...]:
    """Lay out the segments of a device, the largest pool first; the largest segments are drawn where there are many.

    Args:
        segments: of one device.
        holders: of its live blocks, by address.
        most_segments: that are drawn.
        most_blocks: that are drawn apart; of a segment beyond, only how much is used and free.
    """
    drawn = {id(each) for each in sorted(segments, key=lambda each: -each.total_bytes)[:most_segments]}
    together: dict[tuple[tuple[int, int], int, bool], list[Segment]] = {}
    for each in segments:
        together.setdefault((each.pool, each.stream, each.small), []).append(each)
    made: list[Group] = []
    order = sorted(together.items(), key=lambda item: -sum(each.total_bytes for each in item[1]))
    for key, members in order[:MOST_GROUPS]:
        group = _group(
            _title(*key), members, [each for each in members if id(each) in drawn], holders, most_blocks
        )
        most_blocks -= sum(len(bar.pieces) for bar in group.bars)
        made.append(group)
    return tuple(made)


def _title(pool: tuple[int, int], stream: int, small: bool) -> str:
    whose = "everybody's pool" if pool == SHARED_POOL else f"private pool {pool[0]}:{pool[1]}"
    on = "default stream" if stream == 0 else f"stream {stream:#x}"
    return f"{whose}, {on}, {'small' if small else 'large'} requests"


def _group(
    title: str,
    members: Sequence[Segment],
    drawn: Sequence[Segment],
    holders: Mapping[int, Holder],
    most_blocks: int,
) -> Group:
    total = sum(each.total_bytes for each in members)
    shown = sum(each.total_bytes for each in drawn)
    largest = max(1, *(each.total_bytes for each in drawn), 1)
    line_bytes = largest * max(1, -(-shown // (_LINES * largest)))
    scale = WIDTH / line_bytes
    gap = min(_GAP, WIDTH / (40 * max(1, len(drawn) // _LINES)))
    bars: list[Bar] = []
    x, line = 0.0, 0
    for segment in drawn:
        width = max(_LEAST, segment.total_bytes * scale)
        if x and x + width > WIDTH * _OVER:
            x, line = 0.0, line + 1
        pieces = tuple(_pieces(segment, holders, int(_LEAST / scale)))
        if len(pieces) > most_blocks:
            pieces = tuple(_summed(segment))
        most_blocks -= len(pieces)
        bars.append(Bar(segment, x, width, line, pieces))
        x += width + gap
    free = total - sum(each.active_bytes for each in members)
    return Group(title, total, free, line_bytes, line + 1, tuple(bars), len(members) - len(drawn))


def _pieces(segment: Segment, holders: Mapping[int, Holder], least_bytes: int) -> Iterator[Piece]:
    last: Piece | None = None
    for block in segment.blocks:
        piece = _piece(block, holders.get(block.address))
        narrow = last is not None and min(piece.size_bytes, last.size_bytes / last.blocks) < least_bytes
        if last is not None and narrow and piece.kind == last.kind:
            last = Piece(last.size_bytes + piece.size_bytes, last.kind, last.blocks + 1, None)
            continue
        if last is not None:
            yield last
        last = piece
    if last is not None:
        yield last


def _piece(block: Block, holder: Holder | None) -> Piece:
    if block.state == INACTIVE:
        return Piece(block.size_bytes, FREE_KIND, 1, None)
    if block.state == PENDING:
        return Piece(block.size_bytes, PENDING_KIND, 1, holder)
    return Piece(block.size_bytes, "unknown" if holder is None else holder.category, 1, holder)


def _summed(segment: Segment) -> Iterator[Piece]:
    used = [block.size_bytes for block in segment.blocks if block.state != INACTIVE]
    free = [block.size_bytes for block in segment.blocks if block.state == INACTIVE]
    if used:
        yield Piece(sum(used), USED_KIND, len(used), None)
    if free:
        yield Piece(sum(free), FREE_KIND, len(free), None)


def map_svg(group: Group, number: int) -> Markup:
    """Draw a group: one path a kind, so that ten thousand blocks are a dozen elements."""
    paths: dict[str, list[str]] = {}
    for bar in group.bars:
        x, y = bar.x, bar.line * PITCH
        scale = bar.width / max(1, bar.segment.total_bytes)
        paths.setdefault(FREE_KIND, []).append(_rect(x, y, bar.width))
        for piece in bar.pieces:
            width = min(piece.size_bytes * scale, bar.x + bar.width - x)
            if piece.kind != FREE_KIND and width > 0:
                paths.setdefault(piece.kind, []).append(_rect(x, y, width - min(_SEAM, width / 4)))
            x += piece.size_bytes * scale
    height = group.lines * PITCH
    kinds = (FREE_KIND, *CATEGORIES, USED_KIND, PENDING_KIND)
    return element(
        "svg",
        element("title", group.title),
        *(_filled(kind, "".join(paths[kind])) for kind in kinds if kind in paths),
        class_="map",
        role="img",
        data_group=number,
        viewBox=f"0 0 {WIDTH * _OVER:.0f} {height}",
        preserveAspectRatio="none",
        width="100%",
        height=height,
        tabindex=0,
    )


def _filled(kind: str, path: str) -> Markup:
    if has_pattern(kind):
        return element("path", d=path, fill=f"url(#s-{kind})")
    return element("path", d=path, class_=f"k-{kind}")


def _rect(x: float, y: int, width: float) -> str:
    return f"M{x:.2f} {y}h{width:.2f}v{BAR}h-{width:.2f}z"


def said(group: Group) -> str:
    """Say what the group comes to, and the scale of its lines."""
    text = f"{amount_text(group.total_bytes)}, of it {amount_text(group.free_bytes)} free"
    text += f"; a full line is {amount_text(group.line_bytes)}"
    return text + (f"; {group.left_out:,} smaller segments are not drawn" if group.left_out else "")

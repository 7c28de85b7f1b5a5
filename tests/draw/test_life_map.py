"""The segments at the end of a recording, block by block."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dstop.draw.category_bar import CHARS
from dstop.draw.life_map import WAITING, map_head_lines, map_row_line, map_rows
from dstop.draw.line import line_cells, plain
from dstop.draw.pin_lines import pin_lines
from dstop.model.segment import PENDING
from dstop.model.study import Fragmentation, Pin, SiteUse
from dstop.snapshot.blocks import block_categories
from dstop.snapshot.study import DeviceStudy
from dstop.testing.build_snapshot import make_segment, short_story
from dstop.units import GIB, MIB

BLOCKS = st.lists(st.tuples(st.integers(1, 1 << 40), st.booleans(), st.just(0)), min_size=1, max_size=40)


@given(st.lists(BLOCKS, min_size=1, max_size=5), st.integers(1, 220), st.booleans())
def test_every_line_of_the_map_has_its_cells(segments, width, small):
    """Whatever the blocks are, known or not."""
    made = [make_segment(*blocks, address=place << 50, small=small) for place, blocks in enumerate(segments)]
    rows = map_rows(made)
    assert sum(row.total_bytes for row in rows) == sum(each.total_bytes for each in made)
    assert len(rows) == (1 if small else len(made))
    categories = {block.address: "logits" for each in made for block in each.blocks[::2]}
    for line in (
        *map_head_lines(rows, categories, width),
        *(map_row_line(row, categories, width) for row in rows),
    ):
        assert line_cells(line) == width


def test_blocks_have_the_sign_of_what_they_are_for():
    """In the order of their addresses, as wide as their share."""
    segment = make_segment((GIB, True, 0), (GIB, False, 0), (GIB, True, 0), (GIB, True, 0))
    blocks = segment.blocks
    segment = replace(segment, blocks=(*blocks[:3], blocks[3]._replace(state=PENDING)))
    (row,) = map_rows([segment])
    line = plain(map_row_line(row, {0: "parameters", 2 * GIB: "activations"}, 81))
    cells = line[line.index(CHARS["parameters"]) :].rstrip()
    fourth = len(cells) // 4
    assert {cells[0], cells[fourth - 1]} == {CHARS["parameters"]}
    assert cells[fourth + 1] == "·"
    assert cells[2 * fourth + 1] == CHARS["activations"]
    assert cells[-1] == WAITING
    assert "1.0G free" in line


def test_the_largest_hole_is_named_where_there_are_several():
    """One hole is the free part itself."""
    several = map_rows([make_segment((MIB, False, 0), (MIB, True, 0), (3 * MIB, False, 0))])[0]
    one = map_rows([make_segment((MIB, True, 0), (3 * MIB, False, 0))])[0]
    assert "hole 3M" in plain(map_row_line(several, {}, 120))
    assert "hole" not in plain(map_row_line(one, {}, 120))


def test_the_end_of_a_story_is_known_block_by_block():
    """Every block in use has a category, no free one has."""
    study = DeviceStudy(short_story(43), 0)
    known = block_categories(study)
    used = {
        block.address
        for each in study.snapshot.segments
        for block in each.blocks
        if block.state == "active_allocated"
    }
    assert set(known) == used
    assert len(used) == 4


def _site(bytes_held):
    return SiteUse(size_bytes=bytes_held, blocks=1, category="optimizer_state", confidence="likely")


@given(st.integers(1, 220))
def test_pins_say_what_they_keep(width):
    """And nothing is said where nothing pins."""
    fragments = Fragmentation(
        reserved_bytes=4 * GIB,
        active_bytes=GIB,
        free_bytes=3 * GIB,
        reclaimable_bytes=GIB,
        split_bytes=2 * GIB,
        largest_hole_bytes=GIB,
        rows=(),
        pins=(Pin(segment_bytes=GIB, free_bytes=GIB - MIB, block_bytes=MIB, site=_site(MIB)),),
    )
    lines = pin_lines(fragments, width)
    assert {line_cells(line) for line in lines} == {width}
    assert width < 60 or "1M keeps" in plain(lines[1])
    assert pin_lines(replace(fragments, pins=()), width) == []

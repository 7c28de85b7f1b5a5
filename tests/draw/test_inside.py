"""What a process says on request: segments, stacks, model; and its ranks side by side."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.draw.line import line_cells, plain
from dstop.draw.model_lines import model_lines
from dstop.draw.ranks import odd_ones, rank_lines, ranks_of
from dstop.draw.segment_map import segment_map_lines, totals_of
from dstop.draw.sites import own_place, site_lines
from dstop.model.segment import ACTIVE, INACTIVE, PENDING, Block, ModelFacts, Place, Segment, SegmentMap, Site
from dstop.testing import hostile_text, make_allocator, make_process, make_segment_map, make_sites
from dstop.units import GIB, MIB

WIDTHS = st.integers(1, 220)
STATES = st.sampled_from([ACTIVE, PENDING, INACTIVE, "something new"])
BLOCKS = st.builds(Block, st.integers(0, 2**36), st.none() | st.integers(0, 2**36), STATES)
SEGMENTS = st.builds(
    Segment,
    device_index=st.integers(0, 3),
    address=st.integers(0, 2**47),
    total_bytes=st.integers(0, 2**37),
    allocated_bytes=st.integers(0, 2**37),
    active_bytes=st.integers(0, 2**37),
    stream=st.integers(0, 2),
    small=st.booleans(),
    pool=st.tuples(st.integers(0, 1), st.integers(0, 1)),
    expandable=st.booleans(),
    blocks=st.lists(BLOCKS, max_size=6).map(tuple),
)
PLACES = st.builds(Place, hostile_text(), st.integers(0, 10**6), hostile_text())
SITES = st.builds(
    Site,
    device_index=st.just(0),
    size_bytes=st.integers(0, 2**37),
    blocks=st.integers(0, 10**6),
    places=st.lists(PLACES, max_size=9).map(tuple),
)


def text_of(lines):
    """Give lines as one text."""
    return "\n".join(plain(line).rstrip() for line in lines)


def segment(*blocks, **values):
    """Give a segment whose figures are those of its blocks."""
    used = sum(block.size_bytes for block in blocks if block.state == ACTIVE)
    held = sum(block.size_bytes for block in blocks if block.state == PENDING)
    return Segment(
        device_index=0,
        address=values.pop("address", 0),
        total_bytes=sum(block.size_bytes for block in blocks),
        allocated_bytes=used,
        active_bytes=used + held,
        blocks=blocks,
        **values,
    )


@settings(deadline=None)
@given(st.lists(SEGMENTS, max_size=6), WIDTHS, st.integers(0, 3))
def test_every_line_of_a_map_is_as_wide_as_asked(segments, width, left_out):
    """Segments whose blocks do not add up to them too."""
    for line in segment_map_lines(
        SegmentMap(taken_at_ns=0, segments=tuple(segments), left_out=left_out), width
    ):
        assert line_cells(line) == width


def test_a_segment_is_drawn_as_it_is_cut():
    """Half in use, a quarter waiting for a stream, a quarter free."""
    one = segment(
        Block(512 * MIB, 500 * MIB, ACTIVE), Block(256 * MIB, None, PENDING), Block(256 * MIB, None, INACTIVE)
    )
    row = text_of(segment_map_lines(SegmentMap(taken_at_ns=0, segments=(one,)), 54)).splitlines()[-1]
    assert row == "   1.0G  256M free large                 ██████▒▒▒···"


def test_what_fits_without_a_new_segment_is_the_largest_free_block_that_is_shared():
    """What is free in a private pool, or in several pieces, serves no ordinary request."""
    graph = segment(Block(900 * MIB, None, INACTIVE), pool=(1, 0))
    shared = segment(
        Block(300 * MIB, None, INACTIVE), Block(MIB, MIB, ACTIVE), Block(300 * MIB, None, INACTIVE)
    )
    totals = totals_of([graph, shared])
    assert totals.largest_free_bytes == 900 * MIB
    assert totals.private_free_bytes == 900 * MIB
    assert totals.fitting_bytes == 300 * MIB
    text = text_of(segment_map_lines(SegmentMap(taken_at_ns=0, segments=(graph, shared)), 80))
    assert "largest free block 900M; largest request that fits without cudaMalloc 300M" in text
    assert "free 1.5G (in private pools 900M)" in text


def test_a_private_pool_has_another_colour_and_its_name():
    """A graph's memory is told from what everybody may use."""
    graph = segment(Block(20 * MIB, 20 * MIB, ACTIVE), pool=(1, 7), expandable=True)
    lines = segment_map_lines(SegmentMap(taken_at_ns=0, segments=(graph,)), 80)
    assert "pool 1,7 expandable" in plain(lines[-1])
    assert ("seg.private", True) in {(role, "█" in text) for text, role in lines[-1]}


def test_small_segments_of_a_pool_are_one_line():
    """Hundreds of 2 MiB segments would hide the ones that matter."""
    small = [segment(Block(2 * MIB, MIB, ACTIVE), small=True, address=number) for number in range(300)]
    large = segment(Block(64 * MIB, MIB, ACTIVE), address=999)
    lines = segment_map_lines(SegmentMap(taken_at_ns=0, segments=(*small, large)), 80)
    assert "300 small" in text_of(lines)
    assert len(lines) == 1 + 3 + 2
    assert "600M" in plain(lines[4])


def test_every_kind_of_segment_can_be_drawn():
    """The builder's map has all there can be; its totals are those of its segments."""
    segments = make_segment_map()
    totals = totals_of(segments.segments)
    assert totals.total_bytes == totals.used_bytes + totals.pending_bytes + totals.free_bytes
    assert "cuda:1" in text_of(segment_map_lines(make_segment_map(2), 80))


def test_what_the_hook_left_out_is_counted():
    """A map that is not whole says so."""
    text = text_of(segment_map_lines(SegmentMap(taken_at_ns=0, left_out=7, segments=(segment(),)), 80))
    assert "7 more segments are not shown" in text


def test_no_segments_is_an_answer():
    """A process that has allocated nothing is told from one that does not answer."""
    assert "no segments" in text_of(segment_map_lines(SegmentMap(taken_at_ns=0), 80))


@settings(deadline=None)
@given(st.lists(SITES, max_size=4), WIDTHS, st.booleans())
def test_every_line_of_the_stacks_is_as_wide_as_asked(sites, width, recorded):
    """File names that hold anything too."""
    for line in site_lines(sites, width, recorded=recorded):
        assert line_cells(line) == width


def test_the_own_line_of_a_stack_stands_first():
    """Libraries are where it happened; one's own code is where something can be done."""
    inner = Place("/venv/lib/python3.12/site-packages/torch/nn/functional.py", 10, "linear")
    own = Place("/home/deepa/train.py", 214, "training_step")
    assert own_place((inner, own)) is own
    assert own_place((inner,)) is inner
    assert own_place(()) is None
    text = text_of(site_lines(make_sites(), 90, recorded=True))
    assert "allocated before the recording began" in text
    assert "/home/deepa/train.py:212 training_step" in text
    assert " 60%" in text


def test_without_a_recording_the_key_is_named():
    """Who has no stacks learns how to have them; who has a young recording, that it is young."""
    text = text_of(site_lines((), 60, recorded=False))
    assert "H records them" in text
    assert "H again stops it" in text
    assert "nothing has been allocated since" in text_of(site_lines((), 120, recorded=True))


def test_a_path_that_is_too_long_keeps_its_end():
    """The end names the file and the function."""
    place = Place("/a/very/long/way/to/the/file/model.py", 7, "forward")
    site = Site(device_index=0, size_bytes=GIB, blocks=1, places=(place,))
    text = text_of(site_lines((site,), 50, recorded=True))
    assert text.endswith(" …file/model.py:7 forward")


def rank(number, *, allocated=8 * GIB, reserved=12 * GIB, **values):
    """Give the row of one rank of a job."""
    inside = make_allocator(number, allocated_bytes=allocated, reserved_bytes=reserved)
    return make_process(
        number,
        4000 + number,
        rank=number,
        world_size=values.pop("world_size", 4),
        job="torchrun:1",
        allocator=values.pop("allocator", inside),
        **values,
    )


def test_the_odd_rank_is_the_one_far_from_the_median():
    """More than a tenth and more than 512 MiB: both, for small jobs and for large ones."""
    rows = [rank(0), rank(1), rank(2, reserved=14 * GIB), rank(3)]
    assert odd_ones(rows) == {rows[2].key: "reserved 2.0G above the median"}
    near = [rank(0), rank(1), rank(2, reserved=12 * GIB + 600 * MIB)]
    assert not odd_ones(near)
    tiny = [rank(number, allocated=GIB, reserved=GIB + 400 * MIB * (number == 2)) for number in range(3)]
    assert not odd_ones(tiny)


def test_of_two_ranks_none_is_odd():
    """Which of them would it be?"""
    assert not odd_ones([rank(0), rank(1, reserved=40 * GIB)])


def test_ranks_stand_side_by_side_in_their_order():
    """The odd one has a sign and its reason; retries and errors are alarming."""
    stranger = make_process(7, 99)
    rows = [rank(2, reserved=20 * GIB), rank(0, allocator=None), rank(1), rank(3)]
    mine = ranks_of([*rows, stranger], rows[0].facts)
    assert [row.facts.rank for row in mine] == [0, 1, 2, 3]
    text = text_of(rank_lines(mine, rows[0].facts, 100))
    assert "   *2   2    4002   8.0G    20.0G" in text
    assert "* rank 2: reserved 8.0G above the median" in text
    assert "1 of 4 have no hook" in text


def test_ranks_that_are_not_here_are_counted():
    """A job over several machines is not whole on this one."""
    rows = [rank(number, world_size=16) for number in range(4)]
    assert "12 of 16 ranks are not on this machine" in text_of(rank_lines(rows, rows[0].facts, 100))


def test_a_process_without_a_job_has_no_ranks():
    """It is said, not shown as an empty table."""
    lone = make_process()
    assert ranks_of([lone], lone.facts) == []
    assert "not one of several ranks" in text_of(rank_lines([], lone.facts, 80))


@pytest.mark.parametrize("width", [1, 10, 38, 80, 200])
def test_the_table_of_ranks_fits(width):
    """Every line at every width."""
    rows = [rank(number, reserved=(12 + 8 * (number == 3)) * GIB) for number in range(4)]
    for line in rank_lines(rows, rows[0].facts, width):
        assert line_cells(line) == width


def test_a_model_is_told_with_its_sum():
    """Parameters, gradients and states are what it needs at least."""
    facts = ModelFacts(
        models=(
            {
                "class": "Net",
                "parameters": 1_000_000,
                "parameter_bytes": 2 * GIB,
                "dtypes": {"bfloat16": 2 * GIB},
            },
        ),
        optimizers=({"class": "AdamW", "state_bytes": 6 * GIB, "defaults": {"lr": 0.1, "fused": True}},),
        config={"hidden_size": 64},
        unavailable={"gradients": "none yet"},
    )
    text = text_of(model_lines(facts, 80))
    assert "module Net" in text
    assert "parameters          1,000,000" in text
    assert "dtypes              bfloat16 2.0G" in text
    assert "together 8.0G" in text
    assert "lr 0.1, fused yes" in text
    assert "none yet" in text


@settings(deadline=None)
@given(
    st.dictionaries(st.text(max_size=10), hostile_text() | st.none() | st.lists(st.floats(), max_size=3)),
    WIDTHS,
)
def test_a_configuration_with_anything_in_it_fits(config, width):
    """The process chooses it, so it may hold anything."""
    for line in model_lines(ModelFacts(config=config), width):
        assert line_cells(line) == width

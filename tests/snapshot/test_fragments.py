"""What free memory is good for: nothing is counted twice, whole pages are, and the blocks in the way are named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.model.segment import INACTIVE
from dstop.model.study import Failure
from dstop.snapshot.fragments import MOST_PINS, PAGE_BYTES, fragmentation_of, free_pages_bytes
from dstop.snapshot.study import DeviceStudy, studies_of
from dstop.snapshot.values import Action, Settings
from dstop.testing.build_snapshot import make_segment, make_snapshot, short_story
from dstop.units import GIB, MIB

BLOCKS = st.lists(
    st.tuples(st.integers(1, 60).map(lambda halves: halves * MIB // 2), st.booleans(), st.integers(0, 3)),
    min_size=1,
    max_size=12,
)


@st.composite
def _segments(draw):
    """Give segments of every kind, apart from each other."""
    made = []
    for number in range(draw(st.integers(0, 6))):
        blocks = draw(BLOCKS)
        expandable, small = draw(st.booleans()), draw(st.booleans())
        if expandable:  # what is mapped is whole pages
            total = sum(size for size, _, _ in blocks)
            page = PAGE_BYTES[small]
            blocks.append((-(-(total + 1) // page) * page - total, draw(st.booleans()), 0))
        segment = make_segment(*blocks, address=number * GIB, small=small)
        pool = draw(st.sampled_from([(0, 0), (0, 0), (1, 0)]))
        made.append(replace(segment, expandable=expandable, pool=pool, stream=draw(st.integers(0, 1))))
    return made


def _of(segments, **more):
    snapshot = replace(make_snapshot((), segments), **more)
    return DeviceStudy(snapshot, 0)


def _failure(size, stream=0):
    return Failure(
        event=0,
        time_us=None,
        request_bytes=size,
        device_free_bytes=0,
        live_bytes=0,
        reserved_bytes=0,
        stream=stream,
    )


@given(_segments())
def test_all_that_is_reserved_is_in_use_or_free_and_all_that_is_free_is_given_back_or_not(segments):
    """Sums of rows are the sums of segments; no byte is in two of the parts."""
    told = fragmentation_of(_of(segments))
    assert told.reserved_bytes == sum(segment.total_bytes for segment in segments)
    assert told.active_bytes == sum(segment.active_bytes for segment in segments)
    assert told.active_bytes + told.free_bytes == told.reserved_bytes
    assert told.reclaimable_bytes + told.split_bytes == told.free_bytes
    assert 0 <= told.reclaimable_bytes <= told.free_bytes
    assert told.largest_hole_bytes <= told.free_bytes
    assert sum(row.reserved_bytes for row in told.rows) == told.reserved_bytes
    assert len({(row.pool, row.stream, row.small) for row in told.rows}) == len(told.rows)


@given(_segments())
def test_what_a_flush_gives_back_is_what_counting_page_by_page_gives(segments):
    """A page is given back when a single free block covers it; without pages the whole segment is one."""
    for segment in segments:
        page = PAGE_BYTES[segment.small] if segment.expandable else segment.total_bytes
        free = [
            (block.address, block.address + block.size_bytes)
            for block in segment.blocks
            if block.state == INACTIVE
        ]
        # Torch joins free neighbours; the segments here may have some, and only a flush of all of them is whole.
        if not segment.active_bytes:
            counted = segment.total_bytes
        elif not segment.expandable:
            counted = 0
        else:
            pages = range(segment.address, segment.address + segment.total_bytes, page)
            counted = page * sum(any(begin <= at and at + page <= end for begin, end in free) for at in pages)
        assert free_pages_bytes(segment) == (counted if segment.pool == (0, 0) else 0)


@given(_segments())
def test_whoever_is_named_is_in_the_way_of_a_mostly_free_segment(segments):
    """Each pin has at least half of its segment or page free beside it, and the most free come first."""
    pins = fragmentation_of(_of(segments)).pins
    assert len(pins) <= MOST_PINS
    assert [pin.free_bytes for pin in pins] == sorted((pin.free_bytes for pin in pins), reverse=True)
    for pin in pins:
        assert 0 < pin.segment_bytes <= 2 * pin.free_bytes
        assert pin.free_bytes < pin.segment_bytes
        assert pin.block_bytes > 0


def test_the_block_in_the_way_is_named_with_its_stack():
    """4 MiB keep 60 MiB of a segment from being given back, and the line that asked for them is known."""
    told = fragmentation_of(_of([make_segment((4 * MIB, True, 2), (60 * MIB, False, 0))]))
    (pin,) = told.pins
    assert (pin.block_bytes, pin.free_bytes, pin.segment_bytes) == (4 * MIB, 60 * MIB, 64 * MIB)
    assert pin.site.own is not None
    assert pin.site.own.function == "__init__"
    assert (told.reclaimable_bytes, told.split_bytes, told.largest_hole_bytes) == (0, 60 * MIB, 60 * MIB)


def test_of_an_expandable_segment_whole_pages_come_back():
    """40 MiB of the 50 free behind a block are two whole pages of 20; the rest of its own page is pinned by it."""
    segment = replace(make_segment((10 * MIB, True, 1), (50 * MIB, False, 0)), expandable=True)
    told = fragmentation_of(_of([segment]))
    assert told.reclaimable_bytes == 40 * MIB
    assert [(pin.segment_bytes, pin.free_bytes) for pin in told.pins] == [(20 * MIB, 10 * MIB)]


@pytest.mark.parametrize(
    ("size", "stream", "hole"),
    [(8 * MIB, 0, 30 * MIB), (8 * MIB, 7, 12 * MIB), (MIB, 0, 2 * MIB), (8 * MIB, 9, 0)],
    ids=["default", "stream", "small", "elsewhere"],
)
def test_the_hole_is_that_of_the_failed_requests_pool_and_stream(size, stream, hole):
    """What is free for other streams, sizes or graphs is no help to a request."""
    segments = [
        make_segment((MIB, True, 1), (30 * MIB, False, 0), address=0),
        replace(make_segment((MIB, True, 1), (12 * MIB, False, 0), address=GIB), stream=7),
        make_segment((2 * MIB, False, 0), address=2 * GIB, small=True),
        replace(make_segment((90 * MIB, False, 0), address=3 * GIB), pool=(1, 0)),
    ]
    told = fragmentation_of(_of(segments), _failure(size, stream))
    assert told.largest_hole_bytes == hole


def test_a_block_above_the_split_limit_is_no_hole_for_a_smaller_request():
    """`max_split_size_mb` keeps large blocks for large requests, so the largest hole is the one below it."""
    segments = [make_segment((MIB, True, 1), (30 * MIB, False, 0), (MIB, True, 1), (200 * MIB, False, 0))]
    study = _of(segments, settings=Settings(max_split_bytes=128 * MIB))
    assert fragmentation_of(study, _failure(8 * MIB)).largest_hole_bytes == 30 * MIB
    assert fragmentation_of(study, _failure(150 * MIB)).largest_hole_bytes == 200 * MIB


def test_a_private_pool_gives_nothing_back():
    """A CUDA graph may be replayed: its memory stays, however free it is."""
    told = fragmentation_of(_of([replace(make_segment((20 * MIB, False, 0)), pool=(2, 0))]))
    assert (told.free_bytes, told.reclaimable_bytes, told.largest_hole_bytes) == (20 * MIB, 0, 0)


def test_a_study_asks_for_its_last_failure():
    """The hole is for the request that failed: of 512 MiB, on the default stream."""
    study = DeviceStudy(short_story(fails=True), 0)
    assert study.fragmentation == fragmentation_of(study, study.failures[-1])
    assert study.fragmentation.largest_hole_bytes == 64 * MIB


def test_nothing_reserved_is_no_fragmentation():
    """A recording without segments has no rows, no hole and nobody in the way."""
    told = studies_of(make_snapshot([(Action.OOM, 0, MIB, 1)]))[0].fragmentation
    assert (told.reserved_bytes, told.rows, told.pins) == (0, (), ())


@pytest.mark.parametrize(
    "name", ["expandable", "graphs", "oom-fragmented", "ragged", "segments-only", "streams", "training-2.8"]
)
def test_real_recordings_keep_the_laws(recording, name):
    """Whatever torch wrote, the parts add up, and what is in use is what its segments say."""
    for study in studies_of(recording(name)):
        told = study.fragmentation
        assert told.reclaimable_bytes + told.split_bytes == told.free_bytes
        assert told.active_bytes == sum(
            segment.active_bytes for segment in study.snapshot.segments_of(study.device)
        )

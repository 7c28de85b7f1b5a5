"""The parts of a snapshot's page: names that are cut, points that are true, bars that stay in their lines."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.export.snapshot_names import MOST_FRAMES, Names, frame_text, kept
from dstop.export.snapshot_points import points_of, thinned
from dstop.export.snapshot_segments import WIDTH, groups_of, map_svg
from dstop.model.segment import Place
from dstop.model.study import SiteUse
from dstop.snapshot.study import DeviceStudy
from dstop.snapshot.values import Action
from dstop.testing.build_snapshot import make_segment, make_snapshot, make_trace

from .browser import Page


def _site(number):
    places = (Place(f"/home/f{number}.py", 3, f"f{number}"), Place("??", 0, f"f{number}"))
    return SiteUse(
        size_bytes=1, blocks=1, category="activations", confidence="likely", places=places, own=places[0]
    )


def test_a_name_of_four_thousand_characters_is_cut():
    """C++ templates have such names; a frame is one line all the same."""
    assert len(frame_text(Place("??", 0, "std::" * 800))[0]) <= 140
    assert len(frame_text(Place("/" + "d/" * 2000 + "a.py", 1, "f" * 4096))[0]) <= 220


def test_the_frames_of_libraries_begin_where_libraries_lie():
    """`site-packages` and what is before it says nothing."""
    place = Place("/home/a/.venv/lib/python3.12/site-packages/torch/nn/modules/module.py", 9, "_call_impl")
    assert frame_text(place) == ("_call_impl  torch/nn/modules/module.py:9", 1)


@given(st.lists(st.sampled_from(("a.py", "b.cpp")), max_size=300))
def test_of_a_deep_stack_both_ends_stay(files):
    """C++ gives way first; then the middle."""
    stack = tuple(Place(file, line, "f") for line, file in enumerate(files))
    shown = kept(stack)
    assert len(shown) <= MOST_FRAMES + 1
    whole = [place for place in shown if place is not None]
    assert whole == sorted(whole, key=lambda place: place.line)
    python = [place for place in stack if place.file == "a.py"] or list(stack)
    if stack:
        assert whole[0] in {stack[0], python[0]}
        assert whole[-1] in {stack[-1], python[-1]}


def test_names_stop_when_there_is_no_more_room():
    """However long the stacks of a file are, their text has its bound; what is beyond it is an ellipsis."""
    names = Names(400)
    for number in range(50):
        names.site(_site(number))
    assert sum(len(text) for text, _ in names.frames) + sum(len(site[0]) for site in names.sites) < 600
    assert names.frames[-1][0] == "…"
    assert names.site(_site(0)) == 0


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from((Action.ALLOC, Action.FREE_COMPLETED)), st.integers(0, 5)), max_size=60
    ),
    st.integers(1, 80),
)
def test_the_points_of_a_timeline_are_true(steps, pieces):
    """In order, from the first position to the last, the peak among them, their shares adding up to what is live."""
    trace = make_trace([(action, 4096 * place, 1024 * (place + 1), 1) for action, place in steps])
    study = DeviceStudy(replace(make_snapshot(), traces=(trace,)), 0)
    points = points_of(study, pieces)
    events = [point.event for point in points]
    assert events == sorted(set(events))
    assert (events[0], events[-1]) == (0, study.events)
    assert study.live[study.peak] == max(point.live_bytes for point in points)
    for point in points:
        assert sum(point.shares) == point.live_bytes == study.live[point.event]
        assert point.reserved_bytes >= 0
    few = thinned(points, 10)
    assert len(few) <= 12
    assert (few[0], few[-1]) == (points[0], points[-1])
    assert max(point.live_bytes for point in few) == max(point.live_bytes for point in points)


BLOCKS = st.lists(
    st.tuples(st.integers(1, 4000).map(lambda count: 512 * count), st.booleans()), min_size=1, max_size=12
)


@settings(max_examples=80, deadline=None)
@given(st.lists(BLOCKS, min_size=1, max_size=40), st.integers(1, 60), st.integers(1, 200))
def test_no_block_leaves_its_segment_and_no_segment_its_line(layout, most_segments, most_blocks):
    """Whatever the sizes: the bars of a line do not overlap, the drawing is bounded, and every byte is in a piece."""
    segments = [
        make_segment(*((size, used, 1) for size, used in blocks), address=number << 32, small=number % 3 == 0)
        for number, blocks in enumerate(layout)
    ]
    groups = groups_of(segments, {}, most_segments, most_blocks)
    assert sum(len(group.bars) for group in groups) == min(most_segments, len(segments))
    assert sum(len(group.bars) + group.left_out for group in groups) == len(segments)
    for group in groups:
        edge = dict.fromkeys(range(group.lines), 0.0)
        for bar in group.bars:
            assert bar.x >= edge[bar.line] - 1e-6
            edge[bar.line] = bar.x + bar.width
            assert sum(piece.size_bytes for piece in bar.pieces) == bar.segment.total_bytes
        assert all(end <= WIDTH * 1.03 for end in edge.values())
        drawn = Page(map_svg(group, 0))
        for d in (value for tag, name, value in drawn.attributes if (tag, name) == ("path", "d")):
            for x, y, width in re.findall(r"M([\d.]+) (\d+)h([\d.]+)v14h-\3z", d):
                assert float(x) + float(width) <= WIDTH * 1.03
                assert int(y) < group.lines * 18
            assert re.fullmatch(r"(M[\d.]+ \d+h[\d.]+v14h-[\d.]+z)+", d)

"""A snapshot as text: what matters is said, nothing sticks out at any width, and hostile names stay text."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.draw.compare_text import compare_lines
from dstop.draw.growth_summary import growth_summary
from dstop.draw.line import line_cells, plain
from dstop.draw.own_code import by_own_code, callers_text
from dstop.draw.snapshot_facts import failure_lines, fragment_lines, settings_text
from dstop.draw.snapshot_text import Wanted, snapshot_lines
from dstop.model.segment import Place
from dstop.model.study import Growth, SiteUse, Verdict
from dstop.snapshot.compare import compare
from dstop.snapshot.load import load_snapshot
from dstop.snapshot.study import DeviceStudy, studies_of
from dstop.snapshot.values import Action, Settings, Snapshot
from dstop.testing.build_snapshot import LIBRARY, USER, make_segment, make_snapshot, make_stacks, short_story
from dstop.units import GIB, MIB

RECORDINGS = Path(__file__).parents[1] / "snapshot" / "recordings"
HOSTILE = "\x1b[2J\r\n\u202eevil\u200b\x00" + "界" * 40
FAILED = short_story(fails=True)


def _text(snapshot, width=100, **wanted):
    return "\n".join(map(plain, snapshot_lines("run.pickle", studies_of(snapshot), width, Wanted(**wanted))))


def test_a_failure_is_told_first_and_with_what_was_live_then():
    """Request, driver's free memory, what was cached and who asked, before the moment and its sites."""
    text = _text(FAILED)
    assert "cuda:0 ran out of memory after 32ms (event 63)" in text
    assert "asked for 512 MiB; the driver had 7 MiB free" in text
    assert "by /home/ann/train.py:31 forward" in text
    assert text.index("ran out of memory") < text.index("what was live then") < text.index("who asked for it")
    assert "✗ out of memory" in text


def test_without_a_failure_the_peak_is_told():
    """The peak with its categories, its sites, the graph, and what is live at the end."""
    text = _text(short_story())
    assert "cuda:0 at its peak" in text
    assert "ran out of memory" not in text
    assert "live memory over the recording" in text
    assert re.search(r"at its end \d+M are live", text)


def test_one_moment_that_was_asked_for_is_told_alone():
    """No graph, no growth, no free memory: the moment and who asked."""
    text = _text(FAILED, positions={0: 3})
    assert "cuda:0 as asked" in text
    assert "event 3" in text
    assert "over the recording   " not in text
    assert "free memory" not in text


def test_verdicts_that_were_asked_for_are_told_alone():
    """The question is answered, and nothing else is said."""
    verdict = Verdict(
        what="expandable segments",
        setting="PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True",
        fits=False,
        capacity_bytes=GIB,
        peak_reserved_bytes=GIB,
        peak_live_bytes=GIB // 2,
        short_bytes=24 * MIB,
        headroom_bytes=-24 * MIB,
        error_bytes=MIB,
        until="the failed request",
    )
    text = _text(FAILED, verdicts={0: [verdict]})
    assert "would it have fitted?" in text
    assert "does not fit" in text
    assert "who asked for it" not in text


def test_segments_alone_say_how_to_record():
    """Without events there is the end alone, and the way to more."""
    text = _text(make_snapshot((), [make_segment((MIB, True, 2), (MIB, False, 0))]))
    assert "cuda:0 when it was taken" in text
    assert "_record_memory_history()" in text
    assert "over the recording" not in text


def test_an_empty_snapshot_is_said_to_be_empty():
    """Neither segments nor events is a snapshot all the same."""
    text = _text(Snapshot(segments=(), stacks=make_stacks(())))
    assert "without segments and without events" in text


def test_what_was_odd_about_the_file_is_said():
    """Notes of the reader come last."""
    text = _text(replace(FAILED, notes=("3 events had an action that nobody knows",)))
    assert text.endswith("3 events had an action that nobody knows" + text[len(text.rstrip()) :])


def test_of_many_devices_the_two_that_matter_are_drawn():
    """Each has its line at the top; two are whole, and the rest is counted with the way to them."""
    segments = [make_segment((number * MIB, True, 1), address=0, device=number) for number in range(1, 6)]
    text = _text(make_snapshot((), segments))
    assert [f"cuda:{number}: 1 segment" in text for number in range(1, 6)] == [True] * 5
    assert re.findall(r"cuda:(\d) when it was taken", text) == ["4", "5"]
    assert "3 devices with less in them are left out (--device N)" in text


@pytest.mark.parametrize("width", [40, 57, 80, 120, 200])
@pytest.mark.parametrize(
    "name", ["oom-fragmented", "leak", "segments-only", "streams", "graphs", "oom-first"]
)
def test_no_line_sticks_out(name, width):
    """Real recordings at every width, and no line wider than 160 cells."""
    studies = studies_of(load_snapshot(RECORDINGS / f"{name}.pickle.gz"))
    for line in snapshot_lines(name, studies, width, Wanted()):
        assert line_cells(line) <= min(width, 160)


@settings(max_examples=30)
@given(st.text(max_size=60) | st.just(HOSTILE), st.integers(1, 130))
def test_hostile_names_stay_text(name, width):
    """Titles, files, functions and settings of a stranger's file move no cursor and break no line."""
    own = Place(f"/home/{name}.py", 1, name)
    snapshot = make_snapshot(
        [(Action.ALLOC, 0, 4 * MIB, 1), (Action.OOM, 0, MIB, 1)],
        [make_segment((4 * MIB, True, 1), (60 * MIB, False, 0))],
        stacks=((), (own, own._replace(line=2))),
    )
    snapshot = replace(snapshot, settings=Settings(conf=name), notes=(name,))
    lines = snapshot_lines(name, studies_of(snapshot), width, Wanted())
    lines += compare_lines(
        name, name, [compare(DeviceStudy(snapshot, 0), DeviceStudy(short_story(), 0))], width, 5
    )
    for line in lines:
        text = plain(line)
        assert line_cells(line) <= max(40, width)
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b-\u200f]", text), repr(text)


def test_sites_of_the_same_own_lines_are_one():
    """Two library functions below one line of ours are one site of that line, and sums are kept."""
    first = SiteUse(
        size_bytes=3, blocks=1, category="activations", confidence="likely", places=(LIBRARY, USER), own=USER
    )
    second = replace(first, size_bytes=4, confidence="possible", places=(USER,))
    other = replace(first, category="gradients", size_bytes=5)
    joined = by_own_code([first, second, other])
    assert [(each.size_bytes, each.blocks, each.confidence) for each in joined] == [
        (7, 2, "possible"),
        (5, 1, "likely"),
    ]
    assert joined[0].places == (USER,)
    assert joined[1] == other


@given(
    st.lists(
        st.builds(
            SiteUse,
            size_bytes=st.integers(1, 1000),
            blocks=st.integers(1, 9),
            category=st.sampled_from(["activations", "unknown"]),
            confidence=st.sampled_from(["possible", "likely"]),
            places=st.sampled_from([(), (USER,), (LIBRARY, USER), (LIBRARY,)]),
        ),
        max_size=10,
    )
)
def test_joining_loses_no_byte(sites):
    """Bytes and blocks are what they were, and the largest comes first."""
    joined = by_own_code(sites)
    assert sum(each.size_bytes for each in joined) == sum(each.size_bytes for each in sites)
    assert sum(each.blocks for each in joined) == sum(each.blocks for each in sites)
    assert [each.size_bytes for each in joined] == sorted((each.size_bytes for each in joined), reverse=True)


def test_callers_are_whole_and_our_own():
    """Library frames between ours are left out; where a place does not fit, none is cut in two."""
    outer = Place("/home/ann/train.py", 80, "main")
    places = (LIBRARY, USER, LIBRARY, outer)
    assert callers_text(USER, places, 60) == "← train.py:80 main"
    assert callers_text(USER, places, 10) == ""
    assert callers_text(None, (), 60) == ""


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (None, "allocator settings: the snapshot does not say (torch before 2.3)"),
        (Settings(), "allocator settings: the defaults"),
        (Settings(gc_threshold=0.8), "allocator settings: garbage_collection_threshold:0.8"),
        (Settings(conf="max_split_size_mb:64"), "PYTORCH_CUDA_ALLOC_CONF=max_split_size_mb:64"),
        (
            Settings(
                expandable_segments=True,
                max_split_bytes=128 * MIB,
                roundup_power2_divisions={256: 4},
            ),
            "allocator settings: expandable_segments:True,max_split_size_mb:128,roundup_power2_divisions:[256:4]",
        ),
    ],
    ids=["unknown", "defaults", "collected", "conf", "all"],
)
def test_settings_are_written_as_they_are_set(told, text):
    """What was given, or else what is in force."""
    assert settings_text(told) == text


def _failed(request):
    """Give a recording with 104 MiB cached beside 24 live, in holes of 40 and 64 MiB, where this request fails."""
    told = short_story(fails=True)
    trace = told.traces[0]
    size = trace.size.copy()
    size[-1] = request
    return DeviceStudy(replace(told, traces=(replace(trace, size=size),)), 0)


@pytest.mark.parametrize(
    ("request_bytes", "says"),
    [
        (80 * MIB, "in pieces that were too small: the largest hole is 64 MiB."),
        (60 * MIB, "the snapshot was taken 0 events later, with 64 MiB as its largest hole."),
        (512 * MIB, None),
    ],
    ids=["pieces", "later", "little"],
)
def test_more_cached_than_asked_for_is_explained(request_bytes, says):
    """The largest hole says why, unless it is of a later moment; where less was cached, nothing is said of it."""
    study = _failed(request_bytes)
    said = " ".join(plain(line).strip() for line in failure_lines(study, study.failures[0], 80))
    assert "24 MiB live of 128 MiB reserved, so 104 MiB was cached" in said
    assert ("--what-if expandable" in said) == (says is not None)
    assert says is None or says in said


def test_free_memory_without_anybody_in_the_way_is_one_sentence():
    """Rows and pins come where a tenth of the memory lies between blocks in use, or memory ran out."""
    study = DeviceStudy(make_snapshot((), [make_segment((20 * MIB, False, 0))]), 0)
    text = " ".join(plain(line).strip() for line in fragment_lines(study.fragmentation, 100, failed=False))
    assert "a flush gives 20 MiB back" in text
    assert "in the way" not in text
    pinned = DeviceStudy(make_snapshot((), [make_segment((MIB, True, 2), (19 * MIB, False, 0))]), 0)
    lines = [plain(line) for line in fragment_lines(pinned.fragmentation, 100, failed=False)]
    assert "in the way" in "".join(lines)
    assert "model.py:7 __init__" in lines[-1]


def test_growth_counts_all_of_it_and_draws_the_fastest():
    """Seven sites grow; five are drawn and two are counted."""
    site = SiteUse(
        size_bytes=8 * MIB, blocks=4, category="logits", confidence="likely", places=(USER,), own=USER
    )
    growth = [Growth(site=site, per_step_bytes=MIB, steps=4, held_bytes=tuple(range(0, 5 * MIB, MIB)))] * 7
    lines = [plain(line) for line in growth_summary(growth, 5, 100)]
    assert lines[0].strip() == "7 sites grow by 7M a step"
    assert sum("+1M a step" in line for line in lines) == 5
    assert "and 2 that grow less" in lines[-1]
    assert "nothing grows" in plain(growth_summary([], 5, 100)[0])


def test_two_snapshots_side_by_side():
    """Peaks, categories and the sites that changed; what did not change is said to be so."""
    before = DeviceStudy(make_snapshot([(Action.ALLOC, 0, 4 * MIB, 1)]), 0)
    after = DeviceStudy(make_snapshot([(Action.ALLOC, 0, 4 * MIB, 1), (Action.ALLOC, GIB, 8 * MIB, 2)]), 0)
    text = "\n".join(plain(line) for line in compare_lines("a", "b", [compare(before, after)], 100, 5))
    assert "cuda:0: 4 MiB live → 12 MiB live (+8M)" in text
    assert re.search(r"0B +8M +\+8M .*model.py:7 __init__", text)
    same = "\n".join(plain(line) for line in compare_lines("a", "b", [compare(after, after)], 100, 5))
    assert "every site holds the same in both" in same
    none = "\n".join(plain(line) for line in compare_lines("a", "b", [], 100, 5))
    assert "no device in common" in none

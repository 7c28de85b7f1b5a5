"""A snapshot as a trace: valid, in the order of time, true to the study, and written as it goes."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.export.snapshot_perfetto import write_perfetto
from dstop.model.segment import Place
from dstop.model.study import CATEGORIES
from dstop.snapshot.changes import clock, counters, first_time_us
from dstop.snapshot.study import DeviceStudy, studies_of
from dstop.snapshot.values import Action, Annotation, StorageName
from dstop.testing.build_snapshot import MIB, make_segment, make_snapshot, make_trace, short_story

from .browser import HOSTILE

STORY = short_story(fails=True)


def _written(studies, **options):
    file = io.StringIO()
    write_perfetto(studies, file, **options)
    return json.loads(file.getvalue())


def _tracks(trace):
    """The times of each track of the trace, as a viewer has them."""
    made = defaultdict(list)
    for event in trace["traceEvents"]:
        if event["ph"] == "C":
            made["C", event["pid"], event["name"]].append(event["ts"])
        elif event["ph"] in "be":
            made[event["cat"], event["pid"]].append(event["ts"])
        elif event["ph"] == "i":
            made["i", event["pid"]].append(event["ts"])
    return made


def test_a_trace_has_counters_lives_and_what_else_happened():
    """Live, reserved and each category; a life with its bytes, purpose and line; the failure with what was free."""
    trace = _written(studies_of(STORY))
    events = trace["traceEvents"]
    life = next(event for event in events if event["ph"] == "b")
    assert {event["name"] for event in events if event["ph"] == "C"} >= {
        "live",
        "reserved",
        life["args"]["category"],
    }
    assert life["name"] == "/home/ann/model.py:7 __init__"
    assert life["args"] == {
        "bytes": 24 * MIB,
        "requested_bytes": 24 * MIB,
        "category": CATEGORIES[DeviceStudy(STORY, 0).attribution.category[0]],
        "asked_by": "/home/ann/model.py:7 __init__",
    }
    failure = next(event for event in events if event["name"] == "out of memory")
    assert failure["args"]["device_free_bytes"] == 7 * MIB
    assert failure["args"]["bytes"] == 512 * MIB
    assert sum(event["name"] == "segment_alloc" for event in events) == 2
    assert trace["otherData"]["begins_us_since_epoch"] == 1_000_000
    assert trace["otherData"]["slices"]["device 0"]["drawn"] == trace["otherData"]["slices"]["device 0"]["of"]


STEPS = st.lists(
    st.tuples(
        st.sampled_from([*Action]),
        st.integers(0, 5).map(lambda place: place * 4096),
        st.integers(0, 9000),
        st.integers(0, 3),
    ),
    max_size=60,
)


@settings(max_examples=100, deadline=None)
@given(STEPS, st.lists(st.integers(-3, 3), min_size=60, max_size=60), st.booleans())
def test_time_never_goes_back_and_every_begin_has_its_end(steps, apart, timed):
    """Also where the clocks of threads do, or there are none; each id begins once and then ends once."""
    trace = make_trace(steps, begin_us=1_000_000 if timed else 0)
    times = trace.time_us + np.cumsum(apart)[: len(steps)] * timed
    story = replace(make_snapshot(), traces=(replace(trace, time_us=times),))
    told = _written((DeviceStudy(story, 0),))
    for track in _tracks(told).values():
        assert track == sorted(track)
        assert track[0] >= 0
    open_ids, seen = set(), set()
    for event in told["traceEvents"]:
        if event["ph"] == "b":
            assert event["id"] not in seen
            seen.add(event["id"])
            open_ids.add(event["id"])
        elif event["ph"] == "e":
            open_ids.remove(event["id"])
    assert not open_ids


@settings(max_examples=100, deadline=None)
@given(STEPS, st.integers(0, 2))
def test_counters_end_and_peak_as_the_study_does(steps, apart):
    """Where several events share a microsecond their last value stands, and no peak between is lost."""
    story = replace(make_snapshot(), traces=(make_trace(steps, apart_us=apart),))
    study = DeviceStudy(story, 0)
    told = {name: list(changes) for name, changes in counters(study, clock(study, first_time_us((study,))))}
    assert told["live"][-1][1] == study.live[-1]
    assert max(count for _, count in told["live"]) == study.live.max()
    at_the_end = {name: changes[-1][1] for name, changes in told.items() if name in CATEGORIES}
    assert sum(at_the_end.values()) == study.live[-1]
    for changes in told.values():
        values = [count for _, count in changes]
        assert all(one != other for one, other in pairwise(values))


def test_only_the_largest_lives_are_slices():
    """The bound holds, and the trace says from which size on."""
    trace = _written(studies_of(STORY), most_slices=1)
    assert trace["otherData"]["slices"]["device 0"] == {"least_bytes": 24 * MIB, "drawn": 1, "of": 21}
    assert sum(event["ph"] == "b" for event in trace["traceEvents"]) == 1
    assert not any(event["ph"] in "be" for event in _written(studies_of(STORY), most_slices=0)["traceEvents"])


def test_hostile_names_stay_names():
    """Whatever a frame, tensor, mark or range is called, the trace is JSON, with no control character in it."""
    text = "".join(HOSTILE)
    stacks = ((), (Place(f"{text}.py", 1, text),), (Place(text, 1, text),), (Place(text, 1, text),))
    marks = tuple(Annotation(text, start, 0, 1_000_100 + at) for at, start in enumerate((True, False)))
    trace = replace(STORY.traces[0], note=STORY.traces[0].note + 1)
    snapshot = replace(
        make_snapshot(segments=STORY.segments, stacks=stacks),
        traces=(trace,),
        texts=("", text),
        annotations=marks,
        names=(StorageName(0, 1 << 30, 24 * MIB, "parameter", text),),
    )
    file = io.StringIO()
    write_perfetto(studies_of(snapshot), file)
    told = json.loads(file.getvalue())
    assert file.getvalue().isascii()
    for event in told["traceEvents"]:
        for value in (event["name"], *event.get("args", {}).values()):
            assert not any(ord(char) < 32 or char == "\u202e" for char in str(value))
            assert len(str(value)) <= 220


def test_ranges_of_the_program_are_slices():
    """Nested ones of a name end the inner first; an end alone is left out; what never ends, ends with the last."""
    steps = [("step", True, 10), ("step", True, 20), ("step", False, 30)]
    odd = [("lost", False, 31), ("open", True, 35), ("step", False, 40)]
    marks = tuple(Annotation(name, start, 0, 1_000_000 + at) for name, start, at in steps + odd)
    trace = _written(studies_of(replace(STORY, annotations=marks)))
    ranges = [event for event in trace["traceEvents"] if event.get("cat") == "annotation"]
    spans = {event["id"]: [event["name"], event["ts"]] for event in ranges if event["ph"] == "b"}
    for event in ranges:
        if event["ph"] == "e":
            spans[event["id"]].append(event["ts"])
    assert sorted(spans.values()) == [["open", 35, 40], ["step", 10, 40], ["step", 20, 30]]


def test_each_device_is_a_process_and_none_is_the_idle_one():
    """Perfetto keeps number 0 for what idles; a snapshot without a ring has its counters all the same."""
    segments = [replace(make_segment((MIB, True, 0)), device=device) for device in (0, 3)]
    told = _written(studies_of(make_snapshot(segments=segments)))
    assert {event["pid"] for event in told["traceEvents"]} == {1, 4}
    assert told["otherData"]["clock"].startswith("events")
    assert [event["args"]["bytes"] for event in told["traceEvents"] if event["name"] == "live"] == [MIB, MIB]
    assert _written(())["traceEvents"] == []


class _Counting(io.StringIO):
    """A file that remembers the longest piece it was given, and no piece."""

    longest = 0

    def write(self, text):
        """Measure, and forget."""
        self.longest = max(self.longest, len(text))
        return len(text)


def test_the_trace_is_written_as_it_goes():
    """No piece grows with the recording: forty thousand events come line by line."""
    file = _Counting()
    write_perfetto(studies_of(short_story(40_000)), file)
    assert 0 < file.longest < 2000

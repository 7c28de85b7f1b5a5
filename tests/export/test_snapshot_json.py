"""A snapshot as JSON: one line, plain numbers, the unit in the key, and a reason beside every null."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dstop.export.snapshot_json import PIECES, comparison_line, snapshot_line
from dstop.model.segment import Place
from dstop.model.study import Verdict
from dstop.snapshot.compare import compare
from dstop.snapshot.load import load_snapshot
from dstop.snapshot.study import DeviceStudy, studies_of
from dstop.snapshot.values import Action, Settings, Snapshot
from dstop.testing.build_snapshot import make_segment, make_snapshot, make_stacks, short_story
from dstop.units import MIB

RECORDINGS = Path(__file__).parents[1] / "snapshot" / "recordings"
NAMES = sorted(path.name.removesuffix(".pickle.gz") for path in RECORDINGS.glob("*.pickle.gz"))
VERDICT = Verdict(
    what="expandable segments",
    setting="PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True",
    fits=None,
    capacity_bytes=None,
    peak_reserved_bytes=2 * MIB,
    peak_live_bytes=MIB,
    short_bytes=0,
    headroom_bytes=None,
    error_bytes=None,
    until="all recorded steps",
    assumptions=("none",),
)


def _line(snapshot, top=10, **more):
    raw = snapshot_line("run.pickle", studies_of(snapshot), top, **more)
    assert raw.endswith(b"\n")
    assert raw.count(b"\n") == 1
    return json.loads(raw)


def _numbers(value, key=""):
    """Give every number with its key."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _numbers(part, name)
    elif isinstance(value, list):
        for part in value:
            yield from _numbers(part, key)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield key, value


COUNTS = {
    "schema",
    "device",
    "events",
    "event",
    "steps",
    "segments",
    "blocks",
    "step",
    "line",
    "stream",
    "pool",
    "first",
    "last",
    "gc_threshold",
    "shares",
}
"""Keys of numbers that have no unit; `shares` of a timeline are bytes in the order of the categories."""


@pytest.mark.parametrize("name", NAMES)
def test_real_recordings_are_one_line_with_units(name):
    """Every number is a count that is known as one, or has bytes or microseconds in its key."""
    told = _line(load_snapshot(RECORDINGS / f"{name}.pickle.gz"))
    assert told["schema"] == 1
    bare = {
        key
        for key, _ in _numbers({key: value for key, value in told.items() if key != "settings"})
        if key not in COUNTS and not key.endswith(("_bytes", "_us"))
    }
    assert bare == set()
    for device in told["devices"]:
        assert set(device) >= {
            "device",
            "events",
            "peak",
            "end",
            "failures",
            "growth",
            "fragmentation",
            "timeline",
        }
        assert len(device["timeline"]["events"]) <= PIECES
        assert device["peak"]["live_bytes"] >= device["end"]["live_bytes"]


def test_a_null_has_its_reason():
    """No times, no steps, no settings, nobody's capacity: each says why."""
    snapshot = make_snapshot((), [make_segment((MIB, True, 1))])
    told = _line(snapshot, verdicts={0: [VERDICT]})
    assert told["settings"] is None
    assert "settings" in told["unavailable"]
    (device,) = told["devices"]
    assert device["begin_us"] is None
    assert device["unavailable"]["begin_us"] == "nothing was recorded"
    assert set(device["peak"]["unavailable"]) == {"time_us", "step"}
    (verdict,) = device["what_if"]
    assert set(verdict["unavailable"]) == {"fits", "capacity_bytes", "headroom_bytes", "error_bytes"}


def test_what_was_asked_for_is_there():
    """A moment by its position, no more sites than wanted, and verdicts only where they were asked for."""
    told = _line(short_story(fails=True), top=1, positions={0: 3})
    (device,) = told["devices"]
    assert device["at"]["event"] == 3
    assert len(device["peak"]["sites"]) == 1
    assert "what_if" not in device
    assert device["failures"][0]["request_bytes"] == 512 * MIB
    assert device["failures"][0]["own"] == {
        "file": "/home/ann/train.py",
        "line": 31,
        "function": "forward",
    }


def test_settings_are_the_allocators_own():
    """As torch names them; no limit of splitting is null."""
    told = _line(replace(short_story(), settings=Settings(conf="a:b", roundup_power2_divisions={256: 4})))
    assert told["settings"]["conf"] == "a:b"
    assert told["settings"]["max_split_bytes"] is None
    assert told["settings"]["roundup_power2_divisions"] == {"256": 4}
    assert "unavailable" not in told


def test_an_empty_snapshot_is_an_empty_list_of_devices():
    """And the reason why there are no settings is that there is nothing."""
    told = _line(Snapshot(segments=(), stacks=make_stacks(())))
    assert told["devices"] == []
    assert told["unavailable"] == {"settings": "the snapshot is empty"}


def test_lone_surrogates_break_no_reader():
    """A path is bytes, and JSON is Unicode."""
    place = Place("/home/\udcff.py", 1, "main")
    told = _line(make_snapshot([(Action.ALLOC, 0, MIB, 1)], stacks=((), (place,))))
    assert told["devices"][0]["peak"]["sites"][0]["own"]["file"].encode()


def test_two_snapshots_are_one_line():
    """Both peaks, every category, no more sites than wanted."""
    before = DeviceStudy(make_snapshot([(Action.ALLOC, 0, 4 * MIB, 1)]), 0)
    after = DeviceStudy(make_snapshot([(Action.ALLOC, 0, 8 * MIB, 1), (Action.ALLOC, 1 << 30, MIB, 2)]), 0)
    told = json.loads(comparison_line("a", "b", [compare(before, after)], 1))
    (device,) = told["devices"]
    assert (told["schema"], told["before"], told["after"]) == (1, "a", "b")
    assert device["after"]["live_bytes"] - device["before"]["live_bytes"] == 5 * MIB
    (site,) = device["sites"]
    assert (site["before_bytes"], site["after_bytes"]) == (4 * MIB, 8 * MIB)

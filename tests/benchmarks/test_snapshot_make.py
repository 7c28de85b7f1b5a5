"""Snapshots made for measuring are what they say: every form reads the same, and no number in them is at odds."""

from __future__ import annotations

import importlib.util
import io
import pickle
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dstop.snapshot.load import read_snapshot
from dstop.snapshot.study import DeviceStudy
from dstop.snapshot.values import Action

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.snapshot.values import Snapshot

FOLDER = Path(__file__).parents[2] / "benchmarks" / "snapshot"
EVENTS = 3000


@pytest.fixture(scope="module")
def make() -> Iterator[Any]:
    """Give the module, which finds its neighbours as a script does."""
    sys.path.insert(0, str(FOLDER))
    spec = importlib.util.spec_from_file_location("bench_snapshot_make", FOLDER / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def recording(make: Any) -> Any:
    """Invent one training for all."""
    return make.record(EVENTS, 12, 0, frees=True, layers=3)


def _read(make: Any, found: object, protocol: int) -> Snapshot:
    file = io.BytesIO()
    make.write(found, file, protocol)
    file.seek(0)
    return read_snapshot(file)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_every_protocol_says_the_same(make: Any, recording: Any, protocol: int) -> None:
    """Torch's own pickler and Python's write different bytes, and the same events, segments and peak."""
    snapshot = _read(make, make.whole(recording), protocol)
    study = DeviceStudy(snapshot, 0)
    assert study.events == EVENTS
    assert snapshot.notes == ()
    assert len(snapshot.segments) == len(recording.segments)
    assert int(study.live.max()) == recording.peak_bytes


def test_torch_s_own_pickles_unpickle_to_what_they_were(make: Any, recording: Any) -> None:
    """What is written in protocol 2 is a pickle like any other."""
    file = io.BytesIO()
    make.write(make.whole(recording), file, 2)
    assert pickle.loads(file.getvalue()) == make.whole(recording)  # noqa: S301 - written above


def test_old_forms_have_the_same_blocks(make: Any, recording: Any) -> None:
    """A list of segments, and blocks with a history, give the blocks that the newest form gives."""
    new, bare = (_read(make, found, 4) for found in (make.whole(recording), recording.segments))
    old = _read(make, {"segments": make.old(recording.segments)}, 4)
    for snapshot in (bare, old):
        assert [each.address for each in snapshot.segments] == [each.address for each in new.segments]
        for mine, theirs in zip(snapshot.segments, new.segments, strict=True):
            assert [(*each[:2], each.state) for each in mine.blocks] == [
                (*each[:2], each.state) for each in theirs.blocks
            ]


def test_events_and_segments_fit(make: Any, recording: Any) -> None:
    """What is live at the end is what the blocks say is in use, and every segment of the ring is there at the end."""
    study = DeviceStudy(_read(make, make.whole(recording), 4), 0)
    used = sum(segment.active_bytes for segment in study.snapshot.segments)
    assert int(study.live[-1]) == used
    assert int(study.reserved[0]) > 0
    trace = study.snapshot.trace_of(0)
    assert trace is not None
    got = trace.address[trace.action == Action.SEGMENT_ALLOC].tolist()
    assert set(got) <= {segment.address for segment in study.snapshot.segments}
    assert len(set(got)) == len(got)
    assert int((trace.action == Action.FREE_REQUESTED).sum()) == pytest.approx(
        int((trace.action == Action.FREE_COMPLETED).sum()), abs=1
    )


def test_frees_without_stacks(make: Any) -> None:
    """As `context="alloc"` records them: frees have none, and the rest is the same training."""
    recording = make.record(EVENTS, 12, 0, frees=False, layers=3)
    assert all(
        ("frames" in event) == (event["action"] in {"alloc", "segment_alloc"}) for event in recording.events
    )
    assert len(recording.events) == EVENTS

"""The recordings themselves: complete, small, and without a trace of the machine that made them."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dstop.snapshot.study import studies_of
from dstop.snapshot.values import Action

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.snapshot.values import Snapshot

FOLDER = Path(__file__).parent / "recordings"
NAMES = tuple(sorted(path.name.removesuffix(".pickle.gz") for path in FOLDER.glob("*.pickle.gz")))
OUT_OF_MEMORY = ("oom-first", "oom-forward", "oom-fragmented")
ALLOWED = re.compile(r"^(/workspace/|/usr/lib/python3\.11/|<|\?\?|[^/]*$)")


def test_each_recording_is_described() -> None:
    """The README names every recording, and no other."""
    rows = re.findall(r"^\| (`.+?) \|", (FOLDER / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(.+?)`", row)} == set(NAMES)
    assert len(NAMES) >= 20


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_is_small_and_neutral(name: str) -> None:
    """No file name of the machine that recorded is left, wherever in the pickle it may be."""
    path = FOLDER / f"{name}.pickle.gz"
    assert path.stat().st_size <= 60_000
    raw = gzip.decompress(path.read_bytes())
    for word in (b"/root", b"/home", b"/tmp", b"cudasim", b".cache", b"site-packages/_"):
        assert word not in raw


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_reads_as_what_it_is(name: str, recording: Callable[[str], Snapshot]) -> None:
    """It loads without complaint, its frames have neutral names, and its ring and its segments agree about the end."""
    snapshot = recording(name)
    assert snapshot.notes == ()
    assert all(ALLOWED.match(place.file) for place in snapshot.stacks.places)
    for study in studies_of(snapshot):
        assert int(study.reserved[-1]) == sum(each.total_bytes for each in snapshot.segments_of(study.device))
        assert bool(study.failures) == (name in OUT_OF_MEMORY)


def test_the_workloads_show_what_they_are_for(recording: Callable[[str], Snapshot]) -> None:
    """Pools, streams, cut rings, collections and annotations are really in the recordings that are named for them."""

    def actions(name: str, device: int = 0) -> set[int]:
        trace = recording(name).trace_of(device)
        return set() if trace is None else set(trace.action.tolist())

    assert len(recording("graphs").pools) == 3
    assert {each.stream for each in recording("fsdp2-rank1").segments} != {0}
    assert recording("fsdp2-rank1").devices == (1,)
    assert Action.SEGMENT_MAP in actions("expandable")
    assert Action.SEGMENT_ALLOC not in actions("ring-cut")
    assert Action.SEGMENT_FREE in actions("ragged-gc") & actions("emptied")
    assert recording("segments-only").traces == ()
    assert recording("training-2.8").pools == ()
    assert recording("annotated").annotations
    assert any(recording("compiled").texts[1:])
    streams = recording("streams").trace_of(0)
    assert streams is not None
    assert (streams.action == Action.FREE_REQUESTED).sum() > (streams.action == Action.FREE_COMPLETED).sum()

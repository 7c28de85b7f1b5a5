"""Snapshots as evidence: named alone, beside a log, in a black box; and what is wrong with some."""

from __future__ import annotations

import gzip
import json
import pickle
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from dstop.doctor.read import report_of
from dstop.doctor.sources.snapshots import FOUND, NAMED, SCREEN, is_snapshot, snapshot_at, snapshot_of
from dstop.doctor.text.read import log_of_text
from dstop.errors import SnapshotError
from dstop.export.doctor_bundle import bundle_bytes
from dstop.pytorch.incident.place import incident_name
from dstop.pytorch.incident.read import read_incident
from dstop.pytorch.incident.write import write_incident
from dstop.ui.past import diagnosed
from dstop.units import MIB

RECORDINGS = Path(__file__).parents[2] / "snapshot" / "recordings"
NOW = 1_795_480_076_300_388_802
CASES = {
    "oom-forward": ("DS101", "capacity_activations"),
    "oom-fragmented": ("DS201", "fragmentation"),
    "leak": ("DS301", "leak"),
}
WELL = ("annotated", "checkpointed", "emptied", "expandable", "lora", "ring-cut", "streams", "training-2.8")


def recorded(name):
    """Give the place of a recording."""
    return RECORDINGS / f"{name}.pickle.gz"


def black_box(folder, data, *, at_ns=NOW):
    """Write one as the hook does, with its snapshot."""
    told = {
        "schema": 1,
        "kind": "oom",
        "at_ns": at_ns,
        "pid": 7,
        "files": {"snapshot": "snapshot.pickle.gz"},
        "request": {
            "device": 0,
            "segment_bytes": 54 * MIB,
            "total_bytes": 1152 * MIB,
            "free_bytes": 42 * MIB,
        },
        "threads": [{"id": 1, "name": "MainThread", "current": True, "frames": []}],
    }
    name = incident_name(at_ns, 7, "oom")
    return read_incident(write_incident(folder, name, told, {"snapshot.pickle.gz": data}))


def many_segments(count=2_000, size=2 * MIB):
    """Give a snapshot of nothing but segments, in more pieces than one."""
    segments = [
        {
            "device": 0,
            "address": at << 21,
            "total_size": size,
            "allocated_size": size,
            "active_size": size,
            "requested_size": size,
            "stream": 0,
            "segment_type": "small",
            "blocks": [
                {"size": 2 * MIB, "requested_size": 2 * MIB, "state": "active_allocated", "frames": []}
            ],
        }
        for at in range(1, count + 1)
    ]
    words = [f"{at:04096}" for at in range(count)]
    return pickle.dumps({"words": words, "segments": segments, "device_traces": [[]]})


@pytest.mark.parametrize("name", CASES)
def test_a_snapshot_alone_is_diagnosed(name):
    """The cause of a real recording, with evidence that says where in it."""
    first = report_of((), memories=[snapshot_at(recorded(name))]).diagnoses[0]
    assert (first.rule, first.cause) == CASES[name]
    assert any(item.source.startswith(f"{name}.pickle.gz:cuda:0:event ") for item in first.evidence)


@pytest.mark.parametrize("name", WELL)
def test_a_snapshot_of_a_run_that_is_well_has_no_finding(name):
    """A dump is no failure; the report says where to look on."""
    report = report_of((), memories=[snapshot_at(recorded(name))])
    assert report.diagnoses == ()
    assert "dstop snapshot shows what is in it" in report.notes[-1]


def test_expandable_segments_are_proven_by_replay():
    """The recording's own requests, under the other setting: it fits, and the fix says by how much."""
    first = report_of((), memories=[snapshot_at(recorded("oom-fragmented"))]).diagnoses[0]
    assert first.fixes[0].id == "expandable_segments"
    assert first.fixes[0].is_enough
    assert any("replayed with expandable segments" in item.says for item in first.evidence)


def test_a_log_and_its_snapshot_are_one_failure():
    """The log's figures stay as they are, and the snapshot adds what it alone knows."""
    memory = snapshot_at(recorded("oom-fragmented"))
    reserved, live = memory.failure.reserved_bytes / MIB, memory.failure.live_bytes / MIB
    log = log_of_text(
        f"torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 54.00 MiB. GPU 0 has a total capacity of 1.12 GiB "
        f"of which 42.00 MiB is free. Including non-PyTorch memory, this process has 1.08 GiB memory in use. Of the "
        f"allocated memory {live:.2f} MiB is allocated by PyTorch, and {reserved - live:.2f} MiB is reserved by PyTorch "
        f"but unallocated.\n",
        "crash.log",
    )
    report = report_of([log], memories=[memory])
    first = report.diagnoses[0]
    assert first.rule == "DS201"
    sources = {item.source for item in first.evidence}
    assert "crash.log:1" in sources
    assert str(memory.place) in sources
    assert report.notes == ()


def test_a_snapshot_of_another_failure_is_left_aside():
    """Other figures are another moment: a note says so, and nothing of it is evidence."""
    log = log_of_text(
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 has a total capacity of 39.39 GiB "
        "of which 300.50 MiB is free. Including non-PyTorch memory, this process has 39.08 GiB memory in use. Of the "
        "allocated memory 37.80 GiB is allocated by PyTorch, and 700.70 MiB is reserved by PyTorch but unallocated.\n",
        "crash.log",
    )
    report = report_of([log], memories=[snapshot_at(recorded("oom-fragmented"))])
    assert "is of another moment or device" in report.notes[0]
    assert all(item.source.startswith("crash.log") for each in report.diagnoses for item in each.evidence)


def test_the_snapshot_of_a_black_box_is_read(tmp_path):
    """Its pieces and its replay stand beside the exact figures of the incident."""
    incident = black_box(tmp_path, recorded("oom-fragmented").read_bytes())
    first = report_of((), [incident]).diagnoses[0]
    assert first.rule == "DS201"
    assert any(item.source.startswith("snapshot.pickle.gz:cuda:0:event ") for item in first.evidence)
    assert first.balance.cached_bytes == 289_931_264


def test_a_snapshot_without_events_gives_what_its_segments_say(tmp_path):
    """Without a recording: who was live is unknown, the pieces are not."""
    memory = snapshot_of(black_box(tmp_path, recorded("segments-only").read_bytes()), FOUND, [])
    assert memory.events == 0
    assert memory.failure is None
    assert memory.is_of_failure
    assert memory.fragmentation.reserved_bytes > 0
    assert str(memory.place) == "snapshot.pickle.gz:cuda:0"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04cos\nsystem\nX\x02\0\0\0ls\x85R.",
        gzip.compress(b"\x80\x04" + b"]" * 1000),
        b"\x1f\x8bbroken",
    ],
    ids=["empty", "calls", "cut", "damaged"],
)
def test_a_broken_snapshot_is_left_out_with_a_note(tmp_path, data):
    """The black box itself is still diagnosed, and nothing in the file is ever run."""
    report = report_of((), [black_box(tmp_path, data)])
    assert report.diagnoses
    assert any("its snapshot was left out" in note for note in report.notes)


@pytest.mark.parametrize("limit", ["packed_bytes", "unpacked_bytes", "seconds"])
def test_a_snapshot_beyond_a_bound_is_left_out(tmp_path, limit):
    """Of a black box nobody waits for what is too large or too slow; the note says what was passed."""
    incident = black_box(tmp_path, gzip.compress(many_segments()))
    notes = []
    assert snapshot_of(incident, FOUND, notes) is not None
    assert snapshot_of(incident, replace(FOUND, **{limit: 0}), notes) is None
    assert len(notes) == 1


def test_a_named_snapshot_beyond_its_bound_is_an_error(tmp_path):
    """Who named it is told, and by what it can be read."""
    path = tmp_path / "large.pickle"
    path.write_bytes(many_segments())
    with pytest.raises(SnapshotError, match=r"large\.pickle: it has more than 1 bytes") as raised:
        snapshot_at(path, replace(NAMED, unpacked_bytes=1))
    assert raised.value.fix == "dstop snapshot FILE reads it"


def test_a_ring_that_is_too_long_is_not_replayed(tmp_path):
    """The diagnosis stands on the pieces alone then."""
    incident = black_box(tmp_path, recorded("oom-fragmented").read_bytes())
    report = report_of((), [incident], bounds=replace(SCREEN, replayed_events=1))
    first = report.diagnoses[0]
    assert first.rule == "DS201"
    assert not any("replayed" in item.says for item in first.evidence)


def test_only_the_first_black_box_of_a_job_is_opened(tmp_path):
    """Eight ranks have eight of them; the others are aftermath."""
    data = recorded("oom-fragmented").read_bytes()
    incidents = [black_box(tmp_path, data), black_box(tmp_path, b"broken", at_ns=NOW + 10**9)]
    report = report_of((), incidents)
    assert not any("left out" in note for note in report.notes)


def test_files_are_told_apart_by_their_beginning(tmp_path):
    """Whatever they are called."""
    log = tmp_path / "a.pickle"
    log.write_text("step 1\n")
    packed = tmp_path / "b.gz"
    packed.write_bytes(gzip.compress(b"step 1\n"))
    named = tmp_path / "crash.log"
    named.write_bytes(gzip.decompress(recorded("leak").read_bytes()))
    found = [
        is_snapshot(path) for path in (log, packed, named, recorded("leak"), tmp_path, tmp_path / "none")
    ]
    assert found == [False, False, True, True, False, False]


def test_the_verb_takes_a_snapshot(tmp_path):
    """`dstop doctor FILE.pickle.gz` gives the finding, its place and the code 3; numpy comes with it alone."""
    code = (
        "import sys; from dstop.cli.program import run; code = run(['doctor', '--json', sys.argv[1]]);"
        " assert 'textual' not in sys.modules; assert 'torch' not in sys.modules; sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(recorded("oom-fragmented"))],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 3, done.stderr
    first = json.loads(done.stdout)["diagnoses"][0]
    assert first["cause"] == "fragmentation"
    assert any(
        item["source"].startswith("oom-fragmented.pickle.gz:cuda:0:event ") for item in first["evidence"]
    )


def test_a_bundle_names_the_snapshot_and_does_not_hold_it(tmp_path):
    """What it says is in the report, redacted as all else; the file itself, which names code, stays here."""
    snapshot = tmp_path / "run.pickle.gz"
    snapshot.write_bytes(recorded("oom-fragmented").read_bytes())
    packed = tmp_path / "bundle.zip"
    report = report_of((), memories=[snapshot_at(snapshot)])
    packed.write_bytes(bundle_bytes(report, (), (), [snapshot]))
    with zipfile.ZipFile(packed) as archive:
        names = archive.namelist()
        read = {name: archive.read(name).decode() for name in names}
    assert not any("pickle" in name for name in names)
    assert "the memory snapshot run.pickle.gz" in read["README.txt"]
    assert "run.pickle.gz:cuda:0:event 70" in read["report.json"]


def test_the_screen_bounds_what_it_reads(tmp_path):
    """Past crashes are diagnosed with the pieces of a small snapshot; a large one is left to the verb, with a note."""
    small = diagnosed((black_box(tmp_path / "a", recorded("oom-fragmented").read_bytes()),))
    assert any(item.source.startswith("snapshot.pickle.gz:") for item in small.diagnoses[0].evidence)
    large = diagnosed((black_box(tmp_path / "b", gzip.compress(many_segments(12_000))),))
    assert large.diagnoses
    assert any("its snapshot was left out: it has more than 32 MiB" in note for note in large.notes)

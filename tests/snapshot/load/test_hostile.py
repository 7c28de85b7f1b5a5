"""Whatever a file holds, reading it ends with a snapshot or one sentence: it never runs, hangs or fills the memory."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.errors import SnapshotError
from dstop.snapshot.lives import lives_of
from dstop.snapshot.load import load_snapshot, read_snapshot
from dstop.snapshot.timeline import reserved_bytes

from .pickles import CppPickler, event, frames, snapshot, training

if TYPE_CHECKING:
    from pathlib import Path


class Evil:
    """Would make a file if anybody unpickled it."""

    def __init__(self, path: Path) -> None:
        """Name the file."""
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        """Ask to be made by a shell."""
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_nothing_a_file_names_is_run(protocol: int, tmp_path: Path) -> None:
    """The oldest trick: a pickle that calls a shell."""
    path = tmp_path / "made"
    raw = pickle.dumps({"segments": [], "more": Evil(path)}, protocol)
    with pytest.raises(SnapshotError) as caught:
        read_snapshot(io.BytesIO(raw))
    assert "nothing was run" in str(caught.value)
    assert not path.exists()


SENTENCES = {
    "empty": (b"", "empty"),
    "text": (b"Traceback (most recent call last):", "no pickle"),
    "newlines": (b"\n" * 100, "no pickle"),
    "zip": (b"PK\x03\x04" + bytes(100), "zip archive"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(100), "zstd"),
    "protocol": (b"\x80\x09.", "protocol 9"),
    "number": (pickle.dumps(7), "no segments"),
    "nothing": (pickle.dumps({}), "no segments"),
    "segments-are-no-list": (pickle.dumps({"segments": 3}), "no segments"),
    "stop-alone": (b"\x80\x04.", "left over"),
    "left-over": (b"\x80\x04]].", "left over"),
    "open-mark": (b"\x80\x04](.", "left over"),
    "no-mark": (b"\x80\x04]e.", "makes no sense"),
    "append-to-number": (b"\x80\x04K\x01K\x02a.", "makes no sense"),
    "odd-items": (b"\x80\x04}(K\x01u.", "makes no sense"),
    "key-is-a-list": (b"\x80\x04}(]K\x01u.", "makes no sense"),
    "never-written": (b"\x80\x04]h\x07a.", "number 7"),
    "far-number": (b"\x80\x04]j\xff\xff\xff\xffa.", "has not written"),
    "ten-gigabytes": (
        b"\x80\x04\x8d" + struct.pack("<Q", 10 << 30) + b"x",
        "claims a piece of 10737418240 bytes",
    ),
    "all-the-bytes": (b"\x80\x04\x8d" + b"\xff" * 8, "claims a piece"),
    "long-number": (b"\x80\x04\x8b\x00\x00\x00\x40.", "claims a number"),
    "negative-number": (b"\x80\x04\x8b\xff\xff\xff\xff.", "claims a number"),
    "gzip-of-nothing": (gzip.compress(b""), "empty"),
    "gzip-cut": (gzip.compress(pickle.dumps(training(5)))[:-300], "ends too early"),
    "gzip-damaged": (gzip.compress(pickle.dumps(training(5)))[:-8] + b"damaged!", "damaged"),
    "gzip-garbage": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + bytes(range(200)), "damaged"),
    "deep": (b"\x80\x04" + b"]" + b"(" * 5000, "nests deeper"),
    "many-things": (b"\x80\x04(" + b"N" * 4_000_001, "too much"),
    "dup": (b"\x80\x04]2.", "DUP"),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_what_is_no_snapshot_is_one_sentence(name: str) -> None:
    """And the sentence says what is wrong, and has a next step."""
    raw, words = SENTENCES[name]
    with pytest.raises(SnapshotError, match=words) as caught:
        read_snapshot(io.BytesIO(raw))
    assert caught.value.fix
    assert "\n" not in str(caught.value)


def test_a_list_may_hold_itself() -> None:
    """A recursive pickle is finite."""
    recursive: list[Any] = []
    recursive.append(recursive)
    data: dict[str, Any] = {
        "segments": [recursive, {"blocks": recursive, "total_size": 1}],
        "device_traces": [recursive],
    }
    data["device_traces"].append(data["device_traces"])
    data["external_annotations"] = recursive
    data["allocator_settings"] = {"PYTORCH_CUDA_ALLOC_CONF": recursive, "roundup_power2_divisions": data}
    found = read_snapshot(io.BytesIO(pickle.dumps(data, 4)))
    assert [each.blocks for each in found.segments] == [()]
    assert found.notes


def test_many_lists_in_each_other_are_let_go() -> None:
    """Deep data must not end the process when it is read, compared or freed."""
    raw = b"\x80\x04}(\x8c\x08segments](" + b"]" * 300_000 + b"a" * 299_999 + b"eu."
    found = read_snapshot(io.BytesIO(raw))
    assert found.segments == ()
    tuples = b"\x80\x04}(" + b")" + b"\x85" * 300_000 + b"Nu."
    with pytest.raises(SnapshotError):
        read_snapshot(io.BytesIO(tuples))


def test_a_bomb_of_zeros_is_refused_at_its_first_byte() -> None:
    """A thousandth of its size is read."""
    seen: list[int] = []
    with pytest.raises(SnapshotError, match="no pickle"):
        read_snapshot(io.BytesIO(gzip.compress(bytes(64 << 20), 6)), seen.append)
    assert max(seen, default=0) <= 8 << 20


def test_a_bomb_of_events_ends_at_their_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file may repeat an event without end."""
    monkeypatch.setattr("dstop.snapshot.load.lane.MOST_EVENTS", 10_000)
    with pytest.raises(SnapshotError, match="more than 10000 events"):
        read_snapshot(io.BytesIO(gzip.compress(pickle.dumps(training(200), 4))))
    spelled = b"}(\x8c\x06action\x8c\x05allocu" * 10_001  # each in full: none is like one that was learned
    with pytest.raises(SnapshotError, match="more than 10000 events"):
        read_snapshot(io.BytesIO(b"\x80\x04}(\x8c\x0ddevice_traces](](" + spelled + b"eeu."))


def test_a_file_may_be_cut_off_anywhere() -> None:
    """A job that was killed while it wrote leaves the first part."""
    for writer in (lambda data: pickle.dumps(data, 4), CppPickler().dumps):
        raw = writer(training(steps=3))
        for end in [*range(0, 3000, 7), *range(3000, len(raw), 997), len(raw) - 1]:
            with pytest.raises(SnapshotError):
                read_snapshot(io.BytesIO(raw[:end]))


@given(st.integers(0, 2**32), st.binary(min_size=1, max_size=6), st.integers(0, 10**9))
@settings(max_examples=250, deadline=None)
def test_a_damaged_file_is_read_or_refused(seed: int, patch: bytes, place: int) -> None:
    """Whatever bytes are changed, the only error is ours; and what is read can be worked with."""
    raw = bytearray((pickle.dumps(training(3), 4), CppPickler().dumps(training(3)))[seed % 2])
    at = place % len(raw)
    raw[at : at + len(patch)] = patch
    try:
        found = read_snapshot(io.BytesIO(bytes(raw)))
    except SnapshotError:
        return
    for device in found.devices[:4]:
        lives_of(found, device)
    for trace in found.traces:
        for number in trace.stack.tolist():
            assert isinstance(found.stacks[number], tuple)


NONSENSE = [None, -1, 2**63, 2**200, 1.5, True, "x", [], {}, (), [1], {"a": 1}, float("nan")]


@pytest.mark.parametrize("index", range(len(NONSENSE)))
def test_any_field_may_be_nonsense(index: int) -> None:
    """A field that is of another kind is as if it were not there."""
    odd = NONSENSE[index]
    whole = training(2)
    whole["external_annotations"] = [{"name": "a", "stage": "START", "device": 0, "time_us": 5}]
    for key in whole["segments"][0]:
        data = snapshot([])
        data["segments"][0][key] = odd
        for segment in read_snapshot(io.BytesIO(pickle.dumps(data, 4))).segments:
            assert sum(block.size_bytes for block in segment.blocks) <= segment.total_bytes
    for key in whole["segments"][0]["blocks"][0]:
        data = snapshot([])
        data["segments"][0]["blocks"][0][key] = odd
        assert len(read_snapshot(io.BytesIO(pickle.dumps(data, 4))).segments) == 1
    for key in whole["device_traces"][0][0]:
        data = snapshot([event("alloc", 512, 512, at, frames(2)) for at in range(6)])
        data["device_traces"][0][3][key] = odd
        found = read_snapshot(io.BytesIO(pickle.dumps(data, 4)))
        assert found.traces[0].size[[0, 1, 2, 4, 5]].tolist() == [512] * 5
        lives_of(found, 0)
    for key in ("device_traces", "allocator_settings", "external_annotations", "dstop"):
        read_snapshot(io.BytesIO(pickle.dumps(whole | {key: odd}, 4)))
        read_snapshot(io.BytesIO(pickle.dumps(whole | {key: [odd]}, 4)))
    for key in whole["allocator_settings"]:
        read_snapshot(io.BytesIO(pickle.dumps(whole | {"allocator_settings": {key: odd}}, 4)))


def test_blocks_never_exceed_their_segment() -> None:
    """Sums over blocks are trusted by everybody after this."""
    data = snapshot([])
    data["segments"][0]["blocks"] = [{"size": 15 << 20, "state": "active_allocated"}] * 9
    (segment,) = read_snapshot(io.BytesIO(pickle.dumps(data, 4))).segments
    assert sum(block.size_bytes for block in segment.blocks) == segment.total_bytes == segment.allocated_bytes


def test_a_path_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """With its name, and why."""
    with pytest.raises(SnapshotError, match="No such file"):
        load_snapshot(tmp_path / "nowhere.pickle")
    with pytest.raises(SnapshotError, match="directory"):
        load_snapshot(tmp_path)
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", "x")
    with pytest.raises(SnapshotError, match=r"model\.pt: the file is a zip archive"):
        load_snapshot(path)


@pytest.mark.parametrize("size", [2**44 + 1, 2**62, 2**63 - 1])
def test_sizes_beyond_any_memory_are_none(size: int) -> None:
    """Sums of sizes stay within what an array holds, whoever claims them and however often."""
    data = snapshot([event("alloc", 512, size, at, frames(2)) for at in range(40)])
    data["segments"] += [dict(data["segments"][0], total_size=size)]
    data["segments"] += [dict(data["segments"][0], total_size=2**44, address=2**63 - 1)] * 40
    data["dstop"] = {"storages": [[0, 512, size, "parameter", "w"]]}
    found = read_snapshot(io.BytesIO(pickle.dumps(data, 4)))
    assert not found.traces[0].size.any()
    assert max(segment.total_bytes for segment in found.segments) == 2**44
    assert found.names == ()
    assert (reserved_bytes(found, 0) > 0).all()
    lives_of(found, 0)

"""Reading incidents that anybody may have written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.errors import DstopError
from dstop.pytorch.incident.parse import parse_incident
from dstop.pytorch.incident.read import LARGEST_BYTES, read_file, read_incident

NAME = "20261124T002756.300-29869-r3-oom"

TOLD = {
    "schema": 1,
    "kind": "oom",
    "at_ns": 1795480076300388802,
    "host": "node7",
    "pid": 29869,
    "run": "llama-a93e",
    "rank": 3,
    "local_rank": 3,
    "world_size": 8,
    "cmdline": ["python", "train.py", "--hf-token", "hf_abcdefghijklmnopqrst123"],
    "executable": "/usr/bin/python",
    "cwd": "/home/ada",
    "versions": {"torch": "2.14.1"},
    "environment": {"RANK": "3", "WANDB_API_KEY": "0123456789abcdef0123"},
    "environment_names": ["HOME"],
    "thread": {"id": 7, "name": "MainThread"},
    "request": {
        "device": 0,
        "gpu_uuid": "GPU-1",
        "segment_bytes": 300,
        "total_bytes": 2000,
        "free_bytes": 10,
    },
    "devices": [
        {"index": 0, "uuid": "GPU-1", "stats": {"allocated_bytes": {"all": {"current": 5}}, "num_ooms": 1}}
    ],
    "card": {
        "uuid": "GPU-1",
        "total_bytes": 2000,
        "processes": [{"pid": 1, "bytes": 2, "command": "python"}],
    },
    "threads": [{"id": 7, "name": "MainThread", "current": True, "frames": [["a.py", 4, "main"]]}],
    "files": {"snapshot": "snapshot.pickle.gz", "summary": None, "stacks": "gone.txt"},
    "history": False,
    "backend": "native",
    "allocator_conf": None,
    "took_ms": 3.1,
    "unavailable": {"summary": "why"},
}


def _write(parent, told=None, name=NAME):
    folder = parent / name
    folder.mkdir(parents=True)
    text = told if isinstance(told, str) else json.dumps(TOLD if told is None else told)
    (folder / "incident.json").write_text(text)
    return folder


def test_everything_that_was_written_is_read(tmp_path):
    """Each field of a well-formed incident arrives, and secrets are hidden once more."""
    folder = _write(tmp_path)
    (folder / "snapshot.pickle.gz").write_bytes(b"12345")
    told = read_incident(folder)
    assert (told.kind, told.pid, told.rank, told.run, told.thread) == (
        "oom",
        29869,
        3,
        "llama-a93e",
        "MainThread",
    )
    assert told.request is not None
    assert told.request.segment_bytes == 300
    assert told.devices[0].stats == {"allocated_bytes": {"all": {"current": 5}}, "num_ooms": 1}
    assert told.card is not None
    assert told.card.processes[0].bytes == 2
    assert told.threads[0].frames == (("a.py", 4, "main"),)
    assert told.files == {"snapshot": "snapshot.pickle.gz"}
    assert "hf_abc" not in repr(told)
    assert "0123456789abcdef" not in repr(told)
    assert told.bytes == 5 + (folder / "incident.json").stat().st_size
    assert read_file(told, "snapshot", 100) == b"12345"
    assert read_file(told, "summary", 100) is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "null", '{"schema": 2}', "{}", "[" * 100_000, '{"schema": 1, "pid": ' + "9" * 9999],
    ids=["empty", "list", "cut", "null", "newer", "none", "deep", "cut number"],
)
def test_what_is_no_incident_is_refused_in_one_line(tmp_path, text):
    """Broken, strange and newer files are told, not shown."""
    with pytest.raises(DstopError) as refused:
        read_incident(_write(tmp_path, text))
    assert "\n" not in str(refused.value)


def test_a_name_that_is_none_is_refused(tmp_path):
    """Only directories that are named as incidents are opened."""
    with pytest.raises(DstopError, match="is no incident"):
        read_incident(_write(tmp_path, name="20261124T002756.300-1-oom-old"))


def test_links_are_not_followed(tmp_path):
    """Neither the directory nor a file within may lead elsewhere."""
    real = _write(tmp_path / "real")
    link = tmp_path / "20261124T002756.300-29870-oom"
    link.symlink_to(real)
    with pytest.raises(DstopError):
        read_incident(link)
    secret = tmp_path / "secret"
    secret.write_text("x")
    (real / "snapshot.pickle.gz").symlink_to(secret)
    assert read_incident(real).files == {}
    (real / "incident.json").unlink()
    (real / "incident.json").symlink_to(secret)
    with pytest.raises(DstopError):
        read_incident(real)


def test_a_pipe_in_a_files_place_does_not_hang_us(tmp_path):
    """A named pipe would wait for a writer for ever."""
    folder = tmp_path / NAME
    folder.mkdir()
    os.mkfifo(folder / "incident.json")
    with pytest.raises(DstopError, match="no plain file"):
        read_incident(folder)


def test_what_is_too_large_is_refused(tmp_path):
    """Size is bounded before anything is parsed."""
    folder = _write(tmp_path, " " * (LARGEST_BYTES + 1))
    with pytest.raises(DstopError, match="larger than"):
        read_incident(folder)


def test_a_file_outside_is_none_of_its_files(tmp_path):
    """A path that leads out of the directory is not one of the files that are there."""
    (tmp_path / "secret").write_text("x")
    told = read_incident(
        _write(tmp_path, TOLD | {"files": {"snapshot": "../secret", "stacks": "/etc/passwd"}})
    )
    assert told.files == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from([*sorted(TOLD), "all"]), inner)
    ),
    max_leaves=30,
)


@given(st.dictionaries(st.sampled_from([*sorted(TOLD), "exit", "name"]), JSON))
def test_no_content_breaks_it(told):
    """Whatever stands in each field, an incident comes out, and every text in it is printable."""
    found = parse_incident(told, Path("/x") / NAME, ["a"], 1)
    assert found.kind == "oom"
    for text in (found.host, found.cwd, found.run, *found.cmdline, *found.environment_names):
        assert text is None or text.isprintable()
    assert found.pid is None or found.pid >= 0

"""`dstop snapshot` as a user types it: every face, every way to name a snapshot, and every nonsense."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from dstop.cli.snapshot import _positions
from dstop.errors import UsageError
from dstop.snapshot.study import studies_of
from dstop.testing.build_snapshot import short_story

RECORDINGS = Path(__file__).parents[1] / "snapshot" / "recordings"
TRAINING, FAILED, FRAGMENTED, SEGMENTS = (
    str(RECORDINGS / f"{name}.pickle.gz")
    for name in ("training", "oom-forward", "oom-fragmented", "segments-only")
)


@pytest.fixture
def piped(monkeypatch):
    """Put bytes at standard input."""

    def put(content):
        stream = SimpleNamespace(buffer=io.BytesIO(content), isatty=lambda: False)
        monkeypatch.setattr(sys, "stdin", stream)

    return put


def test_a_snapshot_is_explained(dstop):
    """In a pipe it is text without escapes; the peak, who asked, the graph, the free memory."""
    said = dstop("snapshot", TRAINING)
    assert (said.code, said.err) == (0, "")
    for text in ("training.pickle.gz", "at its peak", "who asked for it", "▼ peak", "free memory when"):
        assert text in said.out
    assert "\x1b" not in said.out


def test_a_failure_is_no_failure_of_ours(dstop):
    """Memory ran out in the recording, and the exit code is 0 all the same."""
    said = dstop("snapshot", FAILED, "--once")
    assert said.code == 0
    assert "ran out of memory" in said.out


def test_json_is_a_line_a_file(dstop):
    """Programs read one object after the other, in the order of the files."""
    said = dstop("snapshot", TRAINING, FAILED, "--json", "--top", "2")
    first, second = map(json.loads, said.out.splitlines())
    assert (first["file"], second["file"]) == ("training.pickle.gz", "oom-forward.pickle.gz")
    assert len(first["devices"][0]["peak"]["sites"]) == 2
    assert second["devices"][0]["failures"]


@pytest.mark.parametrize("at", ["peak", "end", "oom", "100", "1ms"])
def test_any_moment_is_told(dstop, at):
    """By word, by number, by time."""
    said = dstop("snapshot", FAILED, "--at", at)
    assert said.code == 0
    assert "cuda:0 as asked" in said.out


def test_the_device_that_failed_is_meant_by_oom():
    """Another device of the same snapshot had memory left, and keeps nobody from the answer."""
    failed, fine = short_story(fails=True), short_story()
    other = replace(fine.traces[0], device=1)
    studies = studies_of(replace(failed, traces=(failed.traces[0], other)))
    assert _positions(studies, "oom") == {0: 63}
    assert _positions(studies, "end") == {0: 64, 1: 63}
    with pytest.raises(UsageError, match="is no moment"):
        _positions(studies, "soon")


def test_would_it_have_fitted(dstop):
    """Every condition has its verdict, in the order in which they were asked, and the exit code stays 0."""
    asked = ("--what-if", "expandable", "--what-if", "capacity=24GiB")
    said = dstop("snapshot", FRAGMENTED, *asked)
    assert said.code == 0
    assert re.search(r"fits +expandable segments\n", said.out)
    assert "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True" in said.out
    (device,) = json.loads(dstop("snapshot", FRAGMENTED, *asked, "--json").out)["devices"]
    assert [(each["fits"], each["what"]) for each in device["what_if"]] == [
        (True, "expandable segments"),
        (True, "24.0G for PyTorch"),
    ]


def test_a_batch_is_said_in_either_place(dstop):
    """The recorded one beside it, or in it; less than the driver ever had is too little for it."""
    for words in (("--what-if", "batch=4", "--batch", "8"), ("--what-if", "batch=8->4")):
        said = dstop("snapshot", TRAINING, *words, "--capacity", "1MiB")
        assert "does not fit  batch 4 instead of 8" in said.out


def test_two_are_compared(dstop):
    """In the order in which they were named, wherever the flag stands."""
    said = dstop("snapshot", TRAINING, "--compare", FAILED)
    assert said.code == 0
    assert "training.pickle.gz → oom-forward.pickle.gz" in said.out
    told = json.loads(dstop("snapshot", "--compare", TRAINING, FAILED, "--json").out)
    assert told["devices"][0]["after"]["live_bytes"] > told["devices"][0]["before"]["live_bytes"]


def test_files_of_one_name_are_compared_by_their_paths(dstop, tmp_path):
    """Each run has a folder and calls its snapshot the same."""
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "run.pickle").write_bytes(Path(TRAINING).read_bytes())
    first, second = (str(tmp_path / folder / "run.pickle") for folder in ("one", "two"))
    said = dstop("snapshot", "--compare", first, second)
    assert "every site holds the same in both" in said.out
    assert json.loads(dstop("snapshot", "--compare", first, second, "--json").out)["before"] == first


def test_pages_and_traces_are_written_and_said(dstop, tmp_path):
    """The files are there, standard output is left alone, and one line each says how large they are."""
    page, trace = tmp_path / "run.html", tmp_path / "run.json"
    said = dstop("snapshot", TRAINING, "--html", str(page), "--perfetto", str(trace))
    assert (said.code, said.out) == (0, "")
    assert [line.split(" (")[0] for line in said.err.splitlines()] == [f"wrote {page}", f"wrote {trace}"]
    assert page.read_text().startswith("<!doctype html>")
    assert json.loads(trace.read_text())["traceEvents"]


def test_a_page_and_a_summary_in_one_run(dstop, tmp_path):
    """Asked for both, it gives both."""
    said = dstop("snapshot", TRAINING, "--once", "--html", str(tmp_path / "run.html"))
    assert "at its peak" in said.out
    assert "wrote " in said.err


def test_a_pipe_is_read(dstop, piped):
    """Plain or gzip, it need not be seekable."""
    content = Path(TRAINING).read_bytes()
    for each in (content, gzip.decompress(content)):
        piped(each)
        said = dstop("snapshot", "-")
        assert said.code == 0
        assert said.out.startswith(" standard input")


def test_an_incident_is_its_snapshot(dstop, tmp_path):
    """The black box keeps one beside the rest, and its directory is what the user knows."""
    folder = tmp_path / "20261124T002756.300-29869-r3-oom"
    folder.mkdir()
    (folder / "snapshot.pickle.gz").write_bytes(Path(FAILED).read_bytes())
    (folder / "incident.json").write_text(
        json.dumps({"schema": 1, "kind": "oom", "files": {"snapshot": "snapshot.pickle.gz"}})
    )
    said = dstop("snapshot", str(folder))
    assert said.code == 0, said.err
    assert said.out.startswith(f" {folder.name}")
    assert "ran out of memory" in said.out
    (folder / "snapshot.pickle.gz").unlink()
    said = dstop("snapshot", str(folder))
    assert said.code == 1
    assert "has no snapshot: dstop doctor" in said.err


NONSENSE = {
    "missing": (("no-such.pickle",), 1, "cannot read no-such.pickle: No such file or directory"),
    "folder": ((".",), 1, "is a directory: name a snapshot in it"),
    "null": ((os.devnull,), 1, "the file is empty"),
    "moment": ((TRAINING, "--at", "yesterday"), 2, "is no moment: write peak, end, oom"),
    "no-oom": ((TRAINING, "--at", "oom"), 2, "nothing ran out of memory"),
    "beyond": ((TRAINING, "--at", "99999999"), 2, "name one of them"),
    "device": ((TRAINING, "--device", "7"), 2, "has no device 7: its devices: 0"),
    "one": ((TRAINING, "--compare"), 2, "--compare takes two snapshots, and there is 1"),
    "three": ((TRAINING, FAILED, TRAINING, "--compare"), 2, "and there are 3"),
    "moment-of-two": ((TRAINING, FAILED, "--compare", "--at", "end"), 2, "leave --at out"),
    "what-if": ((TRAINING, "--what-if", "magic"), 2, "--what-if knows no 'magic': there are expandable"),
    "no-batch": ((TRAINING, "--what-if", "batch=8"), 2, "needs the recorded batch"),
    "batch-alone": ((TRAINING, "--batch", "8"), 2, "--batch says something about --what-if"),
    "capacity": (
        (TRAINING, "--what-if", "expandable", "--capacity", "lots"),
        2,
        "--capacity: 'lots' is not a size",
    ),
    "what-if-at": ((TRAINING, "--what-if", "expandable", "--at", "end"), 2, "goes with no --at"),
    "nothing-to-replay": ((SEGMENTS, "--what-if", "expandable"), 1, "nothing can be replayed"),
    "pages": ((TRAINING, FAILED, "--html", "x.html"), 2, "--html writes one snapshot to one file"),
    "twice": (("-", "-"), 2, "standard input can be read once"),
    "nowhere": ((TRAINING, "--html", "no/such/folder.html"), 1, "cannot write no/such/folder.html"),
    "nothing": ((), 2, "try dstop snapshot --help"),
    "top": ((TRAINING, "--top", "0"), 2, "try dstop snapshot --help"),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_one_line_with_the_next_step(dstop, name, monkeypatch, tmp_path):
    """Exit code 1 for what cannot be read or written, 2 for what cannot be meant."""
    monkeypatch.chdir(tmp_path)
    words, code, says = NONSENSE[name]
    said = dstop("snapshot", *words)
    assert (said.code, said.out) == (code, "")
    assert says in said.err
    assert said.err.count("\n") == 1


def test_a_truncated_file_and_one_that_is_none_are_one_line(dstop, tmp_path):
    """What was cut off and what never was a snapshot say so, with the name of the file."""
    for name, content in (
        ("cut.pickle.gz", Path(TRAINING).read_bytes()[:2000]),
        ("text.pickle", b"not a pickle at all"),
        ("empty.pickle", b""),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        said = dstop("snapshot", str(path))
        assert (said.code, said.out) == (1, "")
        assert said.err.startswith(f"dstop: {path}: ")
        assert said.err.count("\n") == 1


@pytest.mark.parametrize("columns", ["20", "80", "200"])
def test_ascii_is_ascii_and_no_line_is_too_wide(dstop, monkeypatch, columns):
    """Graph, bars and arrows have a form for every terminal; below 40 columns a terminal wraps."""
    monkeypatch.setenv("COLUMNS", columns)
    said = dstop("snapshot", FAILED, "--ascii")
    assert said.out.isascii()
    assert max(map(len, said.out.splitlines())) <= max(40, min(int(columns), 160))


def test_colour_is_there_when_asked_for(dstop, monkeypatch):
    """By flag against NO_COLOR; by default a pipe has none."""
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" in dstop("snapshot", TRAINING, "--color", "always").out
    assert "\x1b[" not in dstop("snapshot", TRAINING).out


@pytest.mark.parametrize("verb", ["snapshot", "doctor"])
def test_help_keeps_its_lines(dstop, verb):
    """Each example is a line of its own, and no mark for click is left in the text."""
    said = dstop(verb, "--help")
    assert "\\b" not in said.out
    assert len(re.findall(rf"^  dstop {verb} ", said.out, re.MULTILINE)) >= 2


def test_a_shell_completes_files():
    """What comes after the verb is a file, and the shell is told so."""
    environment = {
        **os.environ,
        "_DSTOP_COMPLETE": "bash_complete",
        "COMP_WORDS": "dstop snapshot run",
        "COMP_CWORD": "2",
    }
    code = "from dstop.cli.program import dstop; dstop(prog_name='dstop')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert done.stdout.startswith("file,")


def test_text_needs_no_screen():
    """Printing never loads Textual, and `dstop --help` never loads numpy."""
    code = (
        "import sys; from dstop.cli.program import run; "
        "code = run({words!r}); print(code, *sorted({{'textual', 'numpy'}} & set(sys.modules)), file=sys.stderr)"
    )
    for words, loaded in ((["snapshot", TRAINING, "--once"], "0 numpy"), (["snapshot", "--help"], "0")):
        done = subprocess.run(
            [sys.executable, "-c", code.format(words=words)], capture_output=True, text=True, check=True
        )
        assert done.stderr.strip() == loaded


def test_a_reader_that_goes_is_no_error():
    """`dstop snapshot run.pickle | head -1` ends in silence."""
    script = f"{sys.executable} -m dstop snapshot {TRAINING} | head -1"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=False)
    assert re.fullmatch(r" training\.pickle\.gz\s*", done.stdout)
    assert done.stderr == ""

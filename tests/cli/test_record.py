"""`dstop record` and `dstop replay`: what goes in, and what every face makes of it."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dstop.errors import SourceError
from dstop.model.gpu import Xid
from dstop.monitor import Monitor
from dstop.sources.replay.recording import Recording
from dstop.sources.replay.writer import RecordingWriter
from dstop.testing import FakeSource, make_gpu, make_sample
from dstop.testing.build import TAKEN_AT_S

ROOT = Path(__file__).parents[2]


def at(second):
    """Give a moment, in seconds after that of all built values."""
    return (TAKEN_AT_S + second) * 10**9


@pytest.fixture(autouse=True)
def _in_greenwich(monkeypatch):
    """One time zone, whatever the machine says."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def _made(path, steps):
    writer = RecordingWriter(str(path), step_s=1.0)
    monitor = Monitor(FakeSource(steps), interval_s=1.0)
    for _ in steps:
        writer.add(monitor.step())
    writer.close()
    return str(path)


@pytest.fixture
def tape(tmp_path):
    """A hundred seconds of two cards, of which one fills up; begins on 2026-03-31 at 23:33:20 UTC."""
    cards = [(make_gpu(0), make_gpu(1, memory_used_bytes=second << 29)) for second in range(100)]
    steps = [make_sample(cards[second], 1, taken_at_ns=at(second)) for second in range(100)]
    return _made(tmp_path / "tape.dstop", steps)


def _rows(said):
    return json.loads(said.out)["processes"]


def _used(said):
    assert said.code == 0, said.err
    return [json.loads(line)["gpus"][1]["memory_used_bytes"] >> 29 for line in said.out.splitlines()]


def test_the_driver_is_recorded_and_replayed(dstop, machine, tmp_path):
    """Three steps of a machine go into a file, which holds them as they were."""
    steps = [make_sample(2, 2, taken_at_ns=at(second)) for second in range(9)]
    source = machine(*steps)
    path = str(tmp_path / "a.dstop")
    said = dstop("record", path, "--for", "0.6", "-i", "0.25")
    assert (said.code, said.out, source.closed) == (0, "", True)
    assert "recording 2 GPUs every 0.25 s" in said.err
    assert "3 steps" in said.err
    replayed = dstop("replay", path, "--json", "-i", "0.25")
    assert [json.loads(line)["taken_at_ns"] for line in replayed.out.splitlines()] == [at(0), at(1), at(2)]


def test_the_whole_way_from_a_driver(rig, dstop, tmp_path):
    """Recorded by a program on a simulated driver, and shown by another: the cards and rows are the driver's."""
    path = str(tmp_path / "real.dstop")
    given = {**rig.env(2, 2), "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "dstop", "record", path, "-i", "0.25", "--for", "0.6"]
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "3 steps" in done.stderr) == (0, True), done.stderr
    document = json.loads(dstop("replay", path, "--json", "--at", "end").out)
    assert (len(document["gpus"]), len(document["processes"])) == (2, 4)
    assert document["simulated"] is None
    assert {row["command"] for row in document["processes"]} != {None}


def test_without_a_driver_nothing_is_left_behind(dstop, machine, tmp_path):
    """What cannot be read cannot be recorded: one line says why."""
    machine(SourceError("no driver", fix="load it"))
    path = tmp_path / "a.dstop"
    said = dstop("record", str(path))
    assert (said.code, said.err.splitlines()[-1]) == (1, "dstop: no driver: load it")
    assert not path.exists()


def test_a_recording_ends_whole_when_it_is_told_to(tmp_path):
    """SIGTERM and Ctrl-C write what waits: the last second before them is there."""
    for number, (stop, code) in enumerate(((signal.SIGTERM, 0), (signal.SIGINT, 130))):
        path = tmp_path / f"{number}.dstop"
        command = [sys.executable, "-m", "dstop", "record", str(path), "--demo", "-i", "0.25"]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as recorder:
            assert recorder.stderr is not None
            assert b"recording 8 GPUs" in recorder.stderr.readline()
            time.sleep(0.6)
            recorder.send_signal(stop)
            told = recorder.stderr.read()
        assert (recorder.returncode, b" steps, " in told) == (code, True), told
        recording = Recording(str(path))
        assert len(recording) >= 2
        recording.close()


def test_a_file_that_is_there_needs_append(dstop, tape, machine):
    """Nothing is overwritten; --append continues it."""
    machine(make_sample(1, 1, taken_at_ns=at(500)))
    size = Path(tape).stat().st_size
    refused = dstop("record", tape, "--for", "0")
    assert (refused.code, "add --append" in refused.err, Path(tape).stat().st_size) == (1, True, size)
    assert dstop("record", tape, "--append", "--for", "0").code == 0
    assert json.loads(dstop("replay", tape, "--json", "--at", "end").out)["taken_at_ns"] == at(500)


def test_one_moment_as_text_and_json(dstop, tape):
    """--once and --json show the beginning, or the moment that was asked for, labelled as what it is."""
    text = dstop("replay", tape, "--once", "--at", "23:34:00").out
    assert text.startswith(" REPLAY 2026-03-31 23:34:00 40s/1:39 ")
    document = json.loads(dstop("replay", tape, "--json", "--at", "+40s").out)
    assert document["replay"] == {
        "label": "REPLAY 2026-03-31 23:34:00",
        "at_ns": at(40),
        "begin_ns": at(0),
        "end_ns": at(99),
    }
    assert document["gpus"][1]["memory_used_bytes"] == 40 << 29
    assert json.loads(dstop("replay", tape, "--json").out)["taken_at_ns"] == at(0)


def test_all_of_it_as_lines(dstop, tape):
    """With -i the recording goes by without a wait, a line each so many seconds of it, -n ends it sooner."""
    assert _used(dstop("replay", tape, "--json", "-i", "10")) == list(range(0, 100, 10))
    assert _used(dstop("replay", tape, "--json", "-i", "10", "-n", "2", "--at", "50%")) == [49, 60]
    assert _used(dstop("replay", tape, "--json", "-n", "3", "--at", "-5s")) == [94, 95, 96]


def test_csv_and_narrowing(dstop, tape):
    """The label is a column, and the options that choose cards and processes do."""
    rows = list(csv.DictReader(dstop("replay", tape, "--csv", "-o", "1").out.splitlines()))
    assert [(row["index"], row["replay"]) for row in rows] == [("1", "REPLAY 2026-03-31 23:33:20")]
    rows = list(csv.DictReader(dstop("replay", tape, "--csv=processes", "-p", "4000").out.splitlines()))
    assert [(row["pid"], row["replay"]) for row in rows] == [("4000", "REPLAY 2026-03-31 23:33:20")]


def test_an_outage_is_as_old_as_it_was_then(dstop, tmp_path):
    """The age of old figures is by the recording's clock, in text, and their time in JSON."""
    steps = [make_sample(1, 1, taken_at_ns=at(0)), *[SourceError("no driver", fix="load it")] * 9]
    writer = RecordingWriter(str(tmp_path / "gone.dstop"), step_s=1.0)
    monitor = Monitor(FakeSource(steps), interval_s=1.0, now_ns=lambda: at(1))
    for _ in steps:
        writer.add(monitor.step())
    writer.close()
    words = ("replay", str(tmp_path / "gone.dstop"), "--at", "+6s")
    assert "figures are 5s old: no driver: load it" in dstop(*words, "--once").out
    document = json.loads(dstop(*words, "--json").out)
    assert (document["taken_at_ns"], document["gpus"][0]["fault"]) == (at(6), "no driver")


def test_what_is_simulated_stays_so(dstop, tmp_path):
    """A recording of the demo says on every face that no hardware is behind it."""
    path = str(tmp_path / "demo.dstop")
    assert dstop("record", path, "--demo", "--for", "0").code == 0
    assert dstop("replay", path, "--once").out.startswith(" SIMULATED  REPLAY ")
    document = json.loads(dstop("replay", path, "--json").out)
    assert document["simulated"].startswith("simulated: ")
    row = next(row for row in document["processes"] if row["rank"] == 0)
    assert row["allocator"]["allocated_bytes"] > 0
    assert row["footprint"]["model"]


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("begin", 0), ("end", 99), ("0%", 0), ("100%", 99), ("+0", 0), ("+1m", 60), ("+1m5s", 65), ("+2.5s", 2),
        ("-9s", 90), ("-0s", 99), ("23:34", 40), ("23:33:20", 0), ("23:34:00.5", 40), ("2026-03-31 23:34:10", 50),
        ("2026-03-31T23:34:10", 50), (" END ", 99),
    ],
)  # fmt: skip
def test_times_that_people_write(dstop, tape, text, second):
    """A time of day, with or without its day, a distance from either end, and a share all lead there."""
    assert _used(dstop("replay", tape, "--json", "--at", text)) == [second]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("soon", "is no time"), ("+", "is no time"), ("101%", "is no time"), ("25:00", "is no time"),
        ("2026-02-30 10:00", "is no time"), ("99999999999999999999s", "is no time"), ("a\x1b[2Jb", "is no time"),
        ("+1d", "is no time"), ("", "is no time"), ("+2h", "it is from 2026-03-31 23:33:20 to"),
        ("12:00", "not in the recording"),
        ("9999-12-31 23:59:59", "not in the recording"), ("incident", "nothing of weight"),
    ],
)  # fmt: skip
def test_times_that_are_none(dstop, tape, text, words):
    """What means no time, or one that is not recorded, is a usage error with what would be one."""
    said = dstop("replay", tape, "--once", "--at", text)
    assert (said.code, said.out) == (2, "")
    assert words in said.err
    assert said.err.count("\n") == 1
    assert "\x1b" not in said.err


def test_a_tier_cannot_be_told_afterwards(dstop, tape):
    """What models should hold was worked out when it was recorded: an option that would do nothing is refused."""
    path = str(Path(tape).with_name("told.dstop"))
    assert dstop("record", path, "--demo", "--for", "0", "--tier", "deepseek-pro").code == 0
    tiers = [row["footprint"] and row["footprint"]["tier"] for row in _rows(dstop("replay", path, "--json"))]
    assert "DeepSeek-Pro" in tiers
    said = dstop("replay", tape, "--once", "--tier", "deepseek-pro")
    assert (said.code, said.out) == (2, "")
    assert "--tier: a recording has what was expected when it was made" in said.err


def test_after_midnight_a_time_is_of_the_next_day(dstop, tmp_path):
    """A recording over midnight has two days: a time without its day is where the recording has it."""
    steps = [make_sample(1, 1, taken_at_ns=at(second)) for second in range(0, 3600, 60)]
    path = _made(tmp_path / "night.dstop", steps)
    assert json.loads(dstop("replay", path, "--json", "--at", "00:10:20").out)["taken_at_ns"] == at(2220)


def test_an_incident_is_found(dstop, tmp_path):
    """--at incident begins where the first thing of weight happened."""
    xid = (Xid(code=79, at_ns=at(70)),)
    steps = [
        make_sample((make_gpu(0, xids=xid if second >= 70 else ()),), 1, taken_at_ns=at(second))
        for second in range(90)
    ]
    path = _made(tmp_path / "xid.dstop", steps)
    assert json.loads(dstop("replay", path, "--json", "--at", "incident").out)["taken_at_ns"] == at(70)


def test_a_newer_recording_is_refused_politely(dstop, tmp_path):
    """It says which version it is of and what to do, with exit code 1."""
    path = tmp_path / "new.dstop"
    path.write_bytes(b"dstop recording 7\nwhat nobody knows yet")
    said = dstop("replay", str(path), "--once")
    assert (said.code, said.out) == (1, "")
    assert said.err.endswith("is a recording of version 7, this dstop reads version 1: update dstop\n")


def test_a_cut_recording_says_so(dstop, tape):
    """What is left is shown, with a notice that it is not whole."""
    with open(tape, "r+b") as file:  # noqa: PTH123 - cut where it is
        file.truncate(Path(tape).stat().st_size - 3)
    said = dstop("replay", tape, "--once")
    assert "this recording is not whole: its end is cut off" in said.out
    assert json.loads(dstop("replay", tape, "--json").out)["replay"]["notice"].endswith("is cut off")

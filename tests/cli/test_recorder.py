"""`dstop recorder`: what it writes, what it says, and that it ends in order."""

from __future__ import annotations

import configparser
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dstop.cli.recorder import run
from dstop.errors import SourceError
from dstop.model.event import EventKind
from dstop.monitor import Monitor
from dstop.store.reader import Reader
from dstop.store.writer import Writer
from dstop.testing import FakeSource, make_gpu, make_sample

T0 = 1_800_000_000
CARD = "GPU-0000"
ROOT = Path(__file__).parents[2]


def readings(count):
    """Give so many samples of one card, a second apart."""
    gpu = make_gpu(0, uuid=CARD)
    return [replace(make_sample((gpu,), 1), taken_at_ns=(T0 + second) * 10**9) for second in range(count)]


def enough(count):
    """Stop after so many waits, without waiting."""
    left = iter([False] * (count - 1) + [True])
    return lambda _seconds: next(left)


def test_every_sample_is_recorded_and_every_event_once(tmp_path):
    """Five readings are five points; a process that ends is one line although frames repeat it."""
    samples = readings(5)
    samples[3:] = [replace(sample, processes=()) for sample in samples[3:]]
    writer = Writer(str(tmp_path / "r"))
    monitor = Monitor(FakeSource(samples), interval_s=1.0, capacity=10)
    run(monitor, writer, enough(5), interval_s=0.0)
    monitor.close()
    assert writer.close()
    with Reader(str(tmp_path / "r")) as reader:
        assert [point.at_s for point in reader.card(CARD, T0, T0 + 4).points] == [T0 + n for n in range(5)]
        kinds = [event.kind for event in reader.events(0, T0 + 10**6)]
    assert kinds.count(EventKind.PROCESS_ENDED) == 1


def test_a_driver_that_goes_meanwhile_leaves_a_gap(tmp_path):
    """Seconds without an answer have no points; the outage is an event, and recording goes on."""
    first, second, third = readings(3)
    gone = SourceError("the driver does not answer", fix="wait")
    writer = Writer(str(tmp_path / "r"))
    monitor = Monitor(FakeSource([first, gone, gone, third]), interval_s=1.0, capacity=10)
    run(monitor, writer, enough(4), interval_s=0.0)
    monitor.close()
    assert writer.close()
    with Reader(str(tmp_path / "r")) as reader:
        assert [point.at_s for point in reader.card(CARD, T0, T0 + 4).points] == [T0, T0 + 2]
        kinds = {event.kind for event in reader.events(0, 2**33)}
    assert {EventKind.DRIVER_GONE, EventKind.DRIVER_BACK} <= kinds
    del second


def test_no_driver_is_an_error_at_once(tmp_path):
    """A service is started again; a person reads why."""
    writer = Writer(str(tmp_path / "r"))
    monitor = Monitor(FakeSource([SourceError("no driver", fix="load it")]), interval_s=1.0, capacity=10)
    with pytest.raises(SourceError):
        run(monitor, writer, enough(1), interval_s=0.0)
    assert writer.close()


def test_the_unit_starts_this_program_with_these_options(dstop, tmp_path):
    """What is printed is a unit that systemd reads, whatever is in the file's name."""
    said = dstop("recorder", "--print-unit", "--file", str(tmp_path / "my $file 100%"), "--interval", "2")
    assert said.code == 0, said.err
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str
    unit.read_string(said.out)
    words = shlex.split(unit["Service"]["ExecStart"].replace("%%", "%").replace("$$", "$"))
    assert words[-7:] == [
        "recorder",
        "--file",
        str(tmp_path / "my $file 100%"),
        "--interval",
        "2",
        "--most",
        "512MiB",
    ]
    assert unit["Install"]["WantedBy"] == "default.target"


def test_the_status_says_what_is_there(dstop, tmp_path):
    """File, time and cards; and what to do where nothing was recorded."""
    path = tmp_path / "r"
    said = dstop("recorder", "--status", "--file", str(path))
    assert (said.code, said.out) == (1, "")
    assert "dstop recorder" in said.err
    writer = Writer(str(path))
    for sample in readings(3):
        writer.add(sample)
    assert writer.close()
    said = dstop("recorder", "--status", "--file", str(path))
    assert said.code == 0, said.err
    assert "GPU 0" in said.out
    assert str(path) in said.out


@pytest.mark.parametrize("size", ["lots", "1K", "-3G"])
def test_a_size_that_is_none_is_wrong_usage(dstop, tmp_path, size):
    """One line, and exit code 2."""
    said = dstop("recorder", "--file", str(tmp_path / "r"), "--most", size, "--for", "0")
    assert (said.code, said.out) == (2, "")
    assert "--most" in said.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order_and_what_was_read_is_written(rig, tmp_path, number):
    """On a simulated driver: told to stop, it writes the last seconds and leaves a whole file."""
    path = tmp_path / "r"
    command = [sys.executable, "-m", "dstop", "recorder", "--file", str(path)]
    given = {**rig.env(8, 2), "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(tmp_path)}
    with subprocess.Popen(command, env=given, stderr=subprocess.PIPE, text=True) as child:
        begun = child.stderr.readline()
        child.send_signal(number)
        _, err = child.communicate(timeout=60)
    assert "recording 8 GPUs every 1 s" in begun, begun + err
    assert child.returncode == (0 if number == signal.SIGTERM else 130)
    with Reader(str(path)) as reader:
        first, last = reader.span()
        assert reader.card(reader.cards()[0].uuid, first, last).points
    assert "Traceback" not in err

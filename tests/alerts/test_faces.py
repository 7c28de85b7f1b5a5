"""Alerts where people meet them: the recorder as a service, and the bell of the live screen."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from dstop.cli.alerting import alarms_of
from dstop.model.event import EventKind
from dstop.settings import Settings
from dstop.settings.alerts import parse_alerts
from dstop.store.reader import Reader

ROOT = Path(__file__).parents[2]
ENTRY = {"when": "gpu.index = 0", "do": {"bell": True}}


def test_the_recorder_tells_and_writes_down_what_it_told(rig, receiver, tmp_path):
    """On a simulated driver: one POST, a line in the service's log, an event in the file; then it ends in order."""
    config = tmp_path / "config.toml"
    config.write_text(
        f'[[alerts]]\nname = "first card"\nwhen = "gpu.index = 0"\ndo = {{webhook = "{receiver.url}"}}\n'
    )
    path = tmp_path / "r"
    command = [sys.executable, "-m", "dstop", "recorder", "--file", str(path), "--config", str(config)]
    given = {**rig.env(2, 1), "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(tmp_path)}
    with subprocess.Popen(command, env=given, stderr=subprocess.PIPE, text=True) as child:
        lines = [child.stderr.readline(), child.stderr.readline()]
        (came,) = receiver.wait(1)
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    assert any("alert first card: GPU 0: index 0 (== 0)" in line for line in lines), lines
    assert (came.body["status"], came.body["alerts"][0]["gpu_index"]) == ("firing", 0)
    with Reader(str(path)) as reader:
        kinds = [event.kind for event in reader.events(0, 2**33)]
    assert kinds.count(EventKind.ALERT_STARTED) == 1


def test_a_condition_that_is_none_keeps_the_recorder_from_starting(tmp_path):
    """One line that names it, and exit code 2, before anything is read."""
    config = tmp_path / "config.toml"
    config.write_text('[[alerts]]\nwhen = "gpu.memory > 95"\ndo = {bell = true}\n')
    command = [
        sys.executable,
        "-m",
        "dstop",
        "recorder",
        "--file",
        str(tmp_path / "r"),
        "--config",
        str(config),
    ]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.count("\n") == 1
    assert "'gpu.memory > 95': there is no figure gpu.memory; did you mean gpu.memory_" in said.stderr


def test_a_tab_of_dstop_web_tells_nobody(monkeypatch, tmp_path):
    """Eight tabs would tell the same eight times; the recorder is for that."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    settings = Settings(alerts=parse_alerts([ENTRY]))
    assert alarms_of(settings) is not None
    monkeypatch.setenv("TEXTUAL_DRIVER", "textual.drivers.web_driver:WebDriver")
    assert alarms_of(settings) is None
    assert alarms_of(Settings()) is None


def _recorder(*words):
    command = [sys.executable, "-m", "dstop", "recorder", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_alerts_can_be_tried(receiver, tmp_path):
    """Each is sent once, marked as a trial; what did not arrive is said, and the exit code is 1."""
    config = tmp_path / "config.toml"
    config.write_text(
        f'[[alerts]]\nname = "good"\nwhen = "finding:DS2*"\ndo = {{webhook = "{receiver.url}"}}\n'
        '[[alerts]]\nname = "bad"\nwhen = "finding:DS8*"\ndo = {command = ["false"], bell = true}\n'
    )
    said = _recorder("--try-alerts", "--config", str(config))
    assert (said.returncode, said.stderr) == (1, "")
    assert said.stdout.splitlines() == [
        "good: webhook 127.0.0.1: arrived",
        "bad: command false: false ended with 1",
    ]
    (came,) = receiver.came
    assert (came.body["simulated"], came.body["alerts"][0]["says"]) == (
        "a trial",
        "this is a trial: nothing is wrong",
    )
    config.write_text("")
    said = _recorder("--try-alerts", "--config", str(config))
    assert said.returncode == 2
    assert "there are no alerts to try" in said.stderr

"""Alerts over readings: what is told, how often, and that nothing outside holds a reading up."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dstop.alerts.alarms import Alarms
from dstop.alerts.command import Command
from dstop.alerts.courier import DeliveryError
from dstop.alerts.notice import Notice
from dstop.alerts.turn import Turn, lock_path
from dstop.errors import SourceError
from dstop.model.event import EventKind
from dstop.monitor import Monitor
from dstop.settings.alerts import parse_alerts
from dstop.testing import FakeSource, make_gpu, make_process, make_sample
from dstop.units import GIB

TOTAL = 80 * GIB


def _notice():
    """Give a message about nothing."""
    return Notice(status="firing", alert="a", when="w", host="h", at_ns=1, now_s=0.0, told=())


def reading(*shares, **fields):
    """Give a sample with a card for each percentage of used memory; None is a card that tells none."""
    gpus = tuple(
        make_gpu(
            index,
            memory_total_bytes=TOTAL,
            memory_reserved_bytes=0,
            memory_used_bytes=None if share is None else int(TOTAL * share / 100),
        )
        for index, share in enumerate(shares)
    )
    return replace(make_sample(gpus, 0), **fields)


def test_a_webhook_gets_what_began_and_what_is_over(alarms, clock, receiver):
    """One POST when it begins, one when it is over, with the card, the figure and how long it has been so."""
    it = alarms({"name": "full", "when": "gpu.memory_pct > 95 for 60s", "do": {"webhook": receiver.url}})
    assert it.see(reading(50, 97), ()) == []
    clock.now_s += 20
    it.see(reading(50, 97), ())
    clock.now_s += 29
    it.see(reading(50, 97), ())
    clock.now_s += 12
    events = it.see(reading(50, 97.5), ())
    assert [event.kind for event in events] == [EventKind.ALERT_STARTED]
    assert events[0].gpu_index == 1
    first = receiver.wait(1)[0].body
    assert (first["schema"], first["status"], first["alert"]) == (1, "firing", "full")
    assert first["alerts"][0]["gpu_index"] == 1
    assert "memory_pct 97.5 % (> 95)" in first["alerts"][0]["says"]
    assert first["at_ns"] - first["alerts"][0]["since_ns"] == 61 * 10**9
    clock.now_s += 5
    assert it.see(reading(50, 50), ()) == []
    clock.now_s += 30
    assert [event.kind for event in it.see(reading(50, 50), ())] == [EventKind.ALERT_ENDED]
    assert receiver.wait(2)[1].body["status"] == "resolved"


def test_a_reading_is_never_told_to_others_when_it_is_simulated(alarms, receiver):
    """The demo rings and logs, and posts nothing: nobody is called for what no hardware is behind."""
    it = alarms({"when": "gpu.memory_pct > 95", "do": {"webhook": receiver.url, "bell": True}})
    events = it.see(reading(97, simulated="SIMULATED"), ())
    assert [event.kind for event in events] == [EventKind.ALERT_STARTED]
    assert it.bells == 1
    it.close(5)
    assert receiver.came == []


def test_what_begins_together_is_one_message(alarms, receiver):
    """Eight cards at once are one POST with eight entries, and one event."""
    it = alarms({"when": "gpu.memory_pct > 95", "do": {"webhook": receiver.url}})
    (event,) = it.see(reading(*[97] * 40), ())
    body = receiver.wait(1)[0].body
    assert (len(body["alerts"]), body["more"]) == (32, 8)
    assert "and 37 more" in event.text
    assert event.gpu_index is None


def test_words_of_a_machine_cannot_steer_a_terminal(alarms, receiver):
    """A command line with escapes is printable in events, and plain in the JSON."""
    sample = reading(50)
    row = make_process(0, 4000, command="\x1b[2Jevil\n", user="a\x07b", gpu_memory_bytes=70 * GIB)
    it = alarms({"when": "process: mem>60G", "do": {"webhook": receiver.url}})
    (event,) = it.see(replace(sample, processes=(row,)), ())
    assert event.text.isprintable()
    entry = receiver.wait(1)[0].body["alerts"][0]
    assert entry["says"].isprintable()
    assert entry["command"].isprintable()
    assert (entry["pid"], entry["gpu_index"]) == (4000, 0)


def test_a_command_gets_the_words_it_was_given_and_the_message_as_json(alarms, tmp_path):
    """No shell: a dollar is a dollar. Standard input has the JSON, the environment the title."""
    out = tmp_path / "out"
    script = (
        "import sys, os, json; out = open(sys.argv[1], 'w');"
        "json.dump([sys.argv[2:], json.load(sys.stdin), os.environ['DSTOP_ALERT']], out)"
    )
    words = [sys.executable, "-c", script, str(out), "$(touch x)", "; true"]
    it = alarms({"name": "full", "when": "gpu.memory_pct > 95", "do": {"command": words}})
    it.see(reading(97), ())
    it.close(20)
    given, body, title = json.loads(out.read_text())
    assert given == ["$(touch x)", "; true"]
    assert body["status"] == "firing"
    assert title.startswith("ALERT ")
    assert title.endswith(": full")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["false"], "false ended with 1"),
        (["/nowhere/at-all"], "cannot run /nowhere/at-all: No such file or directory"),
    ],
    ids=["fails", "missing"],
)
def test_a_command_that_fails_is_an_event(alarms, words, says):
    """What was run, and how it ended."""
    it = alarms({"when": "gpu.memory_pct > 95", "do": {"command": words}})
    it.see(reading(97), ())
    it._couriers[tuple(words)].wait(20)
    (event,) = it.troubles(1)
    assert says in event.text


def test_a_command_that_hangs_is_killed_with_all_it_started(tmp_path):
    """Its children do not stay behind."""
    out = tmp_path / "pid"
    command = Command(["sh", "-c", f"sleep 600 & echo $! > {out}; wait"], patience_s=0.5)
    with pytest.raises(DeliveryError, match=r"took longer than 0\.5 s"):
        command(_notice())
    child = int(out.read_text())
    for _ in range(500):
        if not Path(f"/proc/{child}").exists() or " Z " in Path(f"/proc/{child}/stat").read_text():
            return
        time.sleep(0.01)
    pytest.fail("the child still runs")


def test_a_notification_is_text_and_no_markup(alarms, monkeypatch, tmp_path):
    """notify-send gets urgency, title and a body in which < is no tag."""
    out = tmp_path / "out"
    program = tmp_path / "notify-send"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {out}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    row = make_process(0, 4000, command="<b>x</b>", gpu_memory_bytes=70 * GIB)
    it = alarms({"name": "big", "when": "process: mem>60G", "do": {"desktop": True}})
    it.see(replace(reading(50), processes=(row,)), ())
    it.close(20)
    app, urgency, dashes, title, body = out.read_text().splitlines()
    assert (app, urgency, dashes) == ("--app-name=dstop", "--urgency=normal", "--")
    assert title.endswith(": big")
    assert "&lt;b&gt;x&lt;/b&gt;" in body


def test_without_notify_send_that_is_said(alarms, monkeypatch, tmp_path):
    """A server has no desktop: an event, not a crash."""
    monkeypatch.setenv("PATH", str(tmp_path))
    it = alarms({"when": "gpu.memory_pct > 95", "do": {"desktop": True}})
    it.see(reading(97), ())
    it._couriers["desktop"].wait(20)
    assert "there is no notify-send here" in it.troubles(1)[0].text


def test_of_several_programs_with_the_same_alerts_one_tells(clock, receiver, tmp_path):
    """The screen and the recorder: the second is silent while the first runs, and takes over when it ends."""
    rules = parse_alerts([{"when": "gpu.memory_pct > 95", "every": "10s", "do": {"webhook": receiver.url}}])
    path = lock_path(rules, {"XDG_STATE_HOME": str(tmp_path)})
    first, second = (Alarms(rules, turn=Turn(path), monotonic=clock) for _ in range(2))
    first.see(reading(97), ())
    assert [event.kind for event in second.see(reading(97), ())] == [EventKind.ALERT_STARTED]
    second._couriers[receiver.url, None].wait(5)
    assert [came.body["status"] for came in receiver.wait(1)] == ["firing"]
    first.close(5)
    clock.now_s += 11
    second.see(reading(97), ())
    assert [came.body["status"] for came in receiver.wait(2)] == ["firing", "lasting"]
    second.close()


def test_where_no_lock_can_be_had_everybody_tells(tmp_path):
    """A home that cannot be written to: an alert twice is better than none."""
    (tmp_path / "file").write_text("")
    assert Turn(str(tmp_path / "file" / "x" / "y.lock")).is_ours(0.0)


def test_the_monitor_shows_it_each_reading(alarms, receiver):
    """Events of alerts are in the frame's log, the bells are counted, and an outage ends nothing."""
    gone = SourceError("the driver does not answer", fix="wait")
    it = alarms({"when": "gpu.memory_pct > 95", "do": {"bell": True, "webhook": receiver.url}})
    monitor = Monitor(FakeSource([reading(50), reading(97), gone, reading(97)]), interval_s=1.0, alarms=it)
    frames = [monitor.step() for _ in range(4)]
    monitor.close()
    assert [frame.bells for frame in frames] == [0, 1, 1, 1]
    kinds = [event.kind for event in frames[-1].events]
    assert kinds.count(EventKind.ALERT_STARTED) == 1
    assert EventKind.ALERT_ENDED not in kinds

"""Plugins that hang: each hook is bounded in time, the plugin is named, and the rest goes on."""

from __future__ import annotations

import threading
import time

import pluggy
import pytest

from dstop.doctor import plugged as doctor_plugged
from dstop.doctor.case import Case
from dstop.doctor.live.scene import Scene
from dstop.doctor.plugged import answers_of, plugged_by, with_evidence
from dstop.doctor.rule import Rule
from dstop.doctor.text.read import log_of_text
from dstop.model.finding import Finding, Severity
from dstop.monitor.findings import Examiner
from dstop.plugin import Labeller, Loaded, plugin_manager
from dstop.plugin.bounded import ExitError, HangError, within
from dstop.plugin.figures import Figures, figures_of
from dstop.testing import make_process, make_sample

hookimpl = pluggy.HookimplMarker("dstop")


@pytest.fixture
def held():
    """Give an event that what hangs waits for; it is set at the end, so that no thread outlives the test."""
    event = threading.Event()
    yield event
    event.set()


def _loaded(*plugins):
    manager = plugin_manager(entry_points=False).manager
    for number, plugin in enumerate(plugins):
        manager.register(plugin, name=f"plugin-{number}")
    return Loaded(manager, ())


class _Hangs:
    """A plugin whose every hook hangs."""

    def __init__(self, event):
        self.event = event
        self.asked = 0

    @hookimpl
    def labels(self):
        """Hang."""
        self.asked += 1
        self.event.wait()

    @hookimpl
    def figures(self):
        """Hang."""
        self.asked += 1
        self.event.wait()

    @hookimpl
    def evidence(self):
        """Hang."""
        self.event.wait()


class _Works:
    """A plugin that works."""

    @hookimpl
    def labels(self):
        """Label."""
        return {"team": "vision"}

    @hookimpl
    def figures(self, process):
        """Tell."""
        return {"pid_plus_one": process.pid + 1}


def test_a_call_is_waited_for_no_longer_than_said(held):
    """What comes back in time is given, what raises raises here too, and what hangs is left behind."""
    assert within(20.0, lambda: 7) == 7
    with pytest.raises(ExitError, match="SystemExit: no licence"):
        within(20.0, lambda: (_ for _ in ()).throw(SystemExit("no licence")))
    with pytest.raises(HangError, match=r"within 0\.05 s"):
        within(0.05, held.wait)


def test_a_plugin_that_hangs_while_it_is_imported_is_named(tmp_path, monkeypatch):
    """Its import never ends; the next plugin is loaded all the same."""
    for name, code in (("plugin_of_sleep", "import time\ntime.sleep(30)"), ("plugin_of_work", "")):
        (tmp_path / f"{name}.py").write_text(code)
        info = tmp_path / f"{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[dstop]\n{name} = {name}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    sleep, work = plugin_manager(patience_s=0.3).plugins
    assert (sleep.name, sleep.trouble) == ("plugin_of_sleep", "it did not come back within 0.3 s")
    assert (work.name, work.trouble) == ("plugin_of_work", None)


def test_labels_that_hang_cost_one_reading_and_one_plugin(held):
    """The other plugin's labels are there, the first is named, and asked no more."""
    hangs = _Hangs(held)
    loaded = _loaded(hangs, _Works())
    label = Labeller(lambda: loaded, environ_of=lambda _: {}, patience_s=0.05)
    for _ in range(2):
        sample = label(make_sample(1, 2))
        assert [row.facts.labels["team"] for row in sample.processes] == ["vision", "vision"]
        assert sample.notices == ("plugin plugin-0 is not used any more: it did not come back within 0.05 s",)
    assert hangs.asked == 1


def _until(figures, sample, done):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        seen = figures(sample)
        if done(seen):
            return seen
        time.sleep(0.01)
    raise AssertionError("it did not come to that")


def test_figures_that_hang_hold_up_no_reading(held):
    """Each reading has what there is; the plugin that hangs is named once its time is over, and the other goes on."""
    loaded = _loaded(_Hangs(held), _Works())
    figures = Figures(lambda: loaded, environ_of=lambda _: {}, every_s=0.01, round_s=0.2)
    sample = make_sample(1, 0, processes=(make_process(0, 7),))
    seen = _until(figures, sample, lambda seen: seen.processes[0].figures and seen.notices)
    assert [(one.name, one.value) for one in seen.processes[0].figures] == [("pid_plus_one", 8.0)]
    assert seen.notices == ("plugin plugin-0 is not used any more: its figures did not come within 0.2 s",)
    figures.close()


class _Raises:
    """A plugin whose figures raise."""

    @hookimpl
    def figures(self):
        """Raise."""
        raise ZeroDivisionError("three\nlines")


def test_figures_that_raise_are_asked_no_more():
    """One that fails is named, and takes nothing with it."""
    figures = Figures(lambda: _loaded(_Raises(), _Works()), environ_of=lambda _: {}, patience_s=20.0)
    seen = figures(make_sample(1, 0, processes=(make_process(0, 7),)))
    assert [one.name for one in seen.processes[0].figures] == ["pid_plus_one"]
    assert seen.notices == ("plugin plugin-0 is not used any more: ZeroDivisionError: three lines",)
    figures.close()


def test_figures_of_a_process_that_is_gone_are_gone():
    """A PID that comes again with another start is another process, and has figures of its own."""
    figures = Figures(lambda: _loaded(_Works()), environ_of=lambda _: {}, every_s=0.01, patience_s=20.0)
    first = make_sample(1, 0, processes=(make_process(0, 7, started_at_s=1.0),))
    assert figures(first).processes[0].figures
    assert (
        figures(make_sample(1, 0, processes=(make_process(0, 7, started_at_s=2.0),))).processes[0].figures
        == ()
    )
    figures.close()


@pytest.mark.parametrize("told", [None, 7, "text", [("a", 1)]], ids=["none", "number", "text", "list"])
def test_what_is_no_mapping_is_no_figure(told):
    """Only a mapping tells figures."""
    assert figures_of(told) == ()


def test_figures_are_few_finite_and_plainly_named():
    """A plugin can neither flood a row, nor move the cursor, nor pass off a truth value as a number."""
    told = {"a": True, "b_pct": float("inf"), "c": "x\x1b[2J" * 99, "D": 1.0, "e" * 99: 1.0, "f": 10**400}
    figures = {one.name: one for one in figures_of(told)}
    assert set(figures) == {"a", "b_pct", "c", "f"}
    assert all(one.value is None and one.why and one.why.isprintable() for one in figures.values())
    assert len(figures_of({f"n{number}": 1.0 for number in range(99)})) == 8


def _rule(**parts):
    return Rule(id="XX910", name="a-rule", cause="x", title="x", page="x", **parts)


class _Rules:
    """A plugin with a rule."""

    def __init__(self, rule):
        self.rule = rule

    @hookimpl
    def rules(self):
        """Give it."""
        return [self.rule]


def test_a_rule_and_a_reader_that_hang_are_named_in_the_report(held, monkeypatch):
    """The doctor has what it knows, and notes who did not come back."""
    monkeypatch.setattr(doctor_plugged, "EXAMINE_S", 0.05)
    monkeypatch.setattr(doctor_plugged, "READ_S", 0.05)
    plugged = plugged_by(_loaded(_Rules(_rule(examine=lambda _: held.wait())), _Hangs(held)))
    notes: list[str] = []
    log = log_of_text("step 1\n", "a.log")
    from dstop.doctor.evidence.collect import facts_of

    found = with_evidence(facts_of(log), log, 0, plugged.readers, notes)
    assert answers_of(Case([found]), plugged.rules, notes) == []
    assert notes == [
        "plugin plugin-1: its reading of a.log is left out: it did not come back within 0.05 s",
        "plugin plugin-0: rule XX910 is left out: it did not come back within 0.05 s",
    ]


def test_a_live_rule_that_hangs_is_named_once_and_never_waited_for_again(held, monkeypatch):
    """The monitor's own rules go on, one event tells of it, and the next moments wait for nothing."""
    monkeypatch.setattr(doctor_plugged, "WATCH_S", 0.05)
    asked = []

    def watch(_):
        asked.append(1)
        held.wait()

    plugged = plugged_by(_loaded(_Rules(_rule(watch=watch))))
    examiner = Examiner((), more=lambda: plugged.watches)
    events = []
    for second in range(0, 30, 5):
        sample = make_sample(1, 1, taken_at_ns=(1_775_000_000 + second) * 10**9)
        events += examiner.examine(Scene(sample=sample))[1]
    assert [event.text for event in events] == [
        "rule XX910 is left out, it failed: HangError('it did not come back within 0.05 s')"
    ]
    assert len(asked) == 1


def test_a_live_rule_of_a_plugin_finds_and_cannot_pass_for_another():
    """Its finding carries its own number, whatever it says, and stands five seconds after it was first seen."""

    def watch(scene):
        told = Finding(
            rule="DS101", cause="x", severity=Severity.WARNING, badge="B" * 99, says="on\x1bfire", gpu_index=0
        )
        return [told, "no finding"] if scene.gpus else []

    plugged = plugged_by(_loaded(_Rules(_rule(watch=watch))))
    examiner = Examiner((), more=lambda: plugged.watches)
    for second in (0, 2, 4, 6, 8):
        sample = make_sample(1, 1, taken_at_ns=(1_775_000_000 + second) * 10**9)
        findings, _ = examiner.examine(Scene(sample=sample))
        assert bool(findings) == (second >= 7)
    assert (findings[0].rule, findings[0].badge, findings[0].says) == ("XX910", "B" * 10, "on?fire")

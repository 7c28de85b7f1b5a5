"""Plugins that work, and plugins that do not."""

from __future__ import annotations

import subprocess
import sys
import time

import pluggy
import pytest

from dstop.plugin import LabelledSource, Labeller, Loaded, any_installed, plugin_manager, read_environ
from dstop.testing import FakeSource, make_process, make_sample

hookimpl = pluggy.HookimplMarker("dstop")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Give a function that installs a module as a plugin, as pip would."""

    def install(name, code):
        (tmp_path / f"{name}.py").write_text(code)
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[dstop]\n{name} = {name}\n")
        return tmp_path

    monkeypatch.syspath_prepend(str(tmp_path))
    yield install
    for name in [name for name in sys.modules if name.startswith("plugin_of_test_")]:
        del sys.modules[name]


_GOOD = """
import pluggy
@pluggy.HookimplMarker("dstop")
def labels(process):
    return {"team": f"team of {process.pid}"}
"""


def test_a_broken_plugin_is_named_and_stops_no_other(site):
    """One plugin cannot be imported and one asks for a hook's argument that is none; the third works."""
    site("plugin_of_test_bad", "raise SystemExit('no licence\\nfor you')")
    site("plugin_of_test_odd", _GOOD.replace("process)", "process, weather)"))
    site("plugin_of_test_good", _GOOD)
    loaded = plugin_manager()
    (process,) = make_sample(1, 1).processes
    assert loaded.manager.hook.labels(process=process.facts, environ={}) == [
        {"team": f"team of {process.pid}"}
    ]
    assert len(loaded.notices) == 2
    assert any(
        "plugin_of_test_bad is not used: SystemExit: no licence for you" in said for said in loaded.notices
    )


def test_without_entry_points_nothing_is_loaded(site):
    """A test can have a manager of its own that no installed plugin disturbs."""
    site("plugin_of_test_bad", "raise RuntimeError")
    assert plugin_manager(entry_points=False).notices == ()


def test_installed_plugins_are_seen_without_loading_them(site, tmp_path):
    """Whether there is a plugin is known from a small file, and nothing is imported for it."""
    empty = tmp_path / "empty"
    (empty / "other-1.0.dist-info").mkdir(parents=True)
    (empty / "other-1.0.dist-info" / "entry_points.txt").write_text("[console_scripts]\ndstop = x\n")
    assert not any_installed([str(empty), str(tmp_path / "nowhere")])
    assert any_installed([str(site("plugin_of_test_bad", "raise RuntimeError"))])


class _Team:
    """A plugin that counts how often it is asked."""

    def __init__(self):
        self.asked = []

    @hookimpl
    def labels(self, process, environ):
        """Label by team."""
        self.asked.append(process.pid)
        return {"team": environ.get("TEAM", "none")}


def _labeller(*plugins, environ_of=lambda _: {"TEAM": "vision"}, **options):
    manager = plugin_manager(entry_points=False).manager
    for number, plugin in enumerate(plugins):
        manager.register(plugin, name=f"plugin-{number}")
    return Labeller(lambda: Loaded(manager, ()), environ_of=environ_of, **options)


def test_labels_are_on_every_row_and_asked_for_once():
    """A process on two GPUs over three samples is asked about once."""
    team = _Team()
    sample = make_sample(2, 0, processes=(make_process(0, 7), make_process(1, 7)))
    label = _labeller(team)
    rows = [row for _ in range(3) for row in label(sample).processes]
    assert [row.facts.labels["team"] for row in rows] == ["vision"] * 6
    assert team.asked == [7]


def test_an_environment_that_cannot_be_read_is_empty():
    """Another user's process is labelled without its environment."""

    def refuse(_):
        raise PermissionError

    (row,) = _labeller(_Team(), environ_of=refuse)(make_sample(1, 1)).processes
    assert row.facts.labels["team"] == "none"


class _Fails:
    """A plugin with a bug."""

    def __init__(self):
        self.asked = 0

    @hookimpl
    def labels(self):
        """Fail."""
        self.asked += 1
        raise ZeroDivisionError("three\nlines\nlong")


def test_a_plugin_that_fails_is_asked_no_more_and_is_named():
    """A bug in a plugin costs its labels, not the sample and not the others' labels."""
    bad = _Fails()
    label = _labeller(bad, _Team())
    for _ in range(2):
        sample = label(make_sample(1, 3))
        assert [row.facts.labels["team"] for row in sample.processes] == ["vision"] * 3
        assert sample.notices[-1:] == (
            "plugin plugin-0 is not used any more: ZeroDivisionError: three lines long",
        )
    assert bad.asked == 1


class _Says:
    """A plugin that says what the test wants."""

    def __init__(self, answer):
        self.answer = answer

    @hookimpl
    def labels(self):
        """Answer."""
        return self.answer


@pytest.mark.parametrize("answer", [None, [], "text", 7])
def test_an_answer_that_is_no_mapping_is_no_label(answer):
    """What is not a mapping labels nothing."""
    (row,) = _labeller(_Says(answer))(make_sample(1, 1)).processes
    assert dict(row.facts.labels) == dict(make_sample(1, 1).processes[0].facts.labels)


def test_labels_are_few_short_and_printable():
    """A plugin can neither flood the screen nor move the cursor."""
    (row,) = _labeller(_Says({f"\x1b{number}": "x\n" * 900 for number in range(99)}))(
        make_sample(1, 1)
    ).processes
    assert len(row.facts.labels) <= 8
    assert all((key + value).isprintable() and len(value) <= 64 for key, value in row.facts.labels.items())


def test_the_first_frame_does_not_wait_for_plugins():
    """With defer=1 nothing is loaded for the first sample, and it comes through as it is."""
    loads = []

    def load():
        loads.append(1)

    label = Labeller(load, defer=1)
    sample = make_sample(1)
    assert (label(sample), loads) == (sample, [])
    assert (label(sample), label(sample), loads) == (sample, sample, [1])


def test_a_labelled_source_is_a_source():
    """Reading, watching and closing reach the source behind it."""
    behind = FakeSource([make_sample(1, 1)])
    source = LabelledSource(behind, _labeller(_Team()))
    assert source.read(patience_s=2.0).processes[0].facts.labels["team"] == "vision"
    source.watch(frozenset({"pcie"}))
    source.close()
    assert (behind.patience_s, behind.watched, behind.closed) == (2.0, {"pcie"}, True)


def test_the_environment_of_a_process_is_read():
    """The environment of our own child is read from /proc."""
    with subprocess.Popen(["/bin/sleep", "60"], env={"TEAM": "a=b", "EMPTY": ""}) as child:
        try:
            for _ in range(1000):  # the kernel fills it in a moment after exec has closed the parent's pipe
                if read_environ(child.pid):
                    break
                time.sleep(0.01)
            assert read_environ(child.pid) == {"TEAM": "a=b", "EMPTY": ""}
        finally:
            child.kill()

"""Sources of plugins, and what narrowing passes on."""

from __future__ import annotations

import sys

import pytest

from dstop.cli.request import Request
from dstop.cli.sources import Narrowed
from dstop.settings import Settings
from dstop.testing import FakeSource, make_sample

_PLUGIN = """
import pluggy
from dstop.errors import SourceError
from dstop.testing import FakeSource, make_sample
def broken():
    raise ValueError("no\\nlicence")
@pluggy.HookimplMarker("dstop")
def sources():
    return {"lab": lambda: FakeSource([make_sample(3, 0)]), "broken": broken,
            "asleep": lambda: FakeSource([SourceError("asleep", fix="wake it")])}
"""


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """Install a plugin that has sources, as pip would."""
    (tmp_path / "plugin_of_lab.py").write_text(_PLUGIN)
    info = tmp_path / "plugin_of_lab-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin-of-lab\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[dstop]\nlab = plugin_of_lab\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("plugin_of_lab", None)


@pytest.mark.usefixtures("lab")
def test_samples_can_come_from_a_plugin(dstop):
    """--source NAME reads what a plugin offers."""
    said = dstop("--csv", "--source", "lab")
    assert (said.code, len(said.out.splitlines())) == (0, 4)


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize(
    ("name", "code", "words"),
    [("home", 2, "asleep, broken, lab"), ("broken", 1, "no licence"), ("asleep", 1, "wake it")],
)
def test_a_plugins_source_that_fails_is_one_line(dstop, name, code, words):
    """An unknown source is told with those there are, and a failing one with its reason."""
    said = dstop("--json", "--source", name)
    assert (said.code, said.out, said.err.count("\n")) == (code, "", 1)
    assert words in said.err


@pytest.mark.usefixtures("lab")
def test_a_plugin_whose_sources_fail_stops_no_other(dstop, tmp_path):
    """One plugin raises when it is asked for its sources: the other's can be read, and the first is named."""
    (tmp_path / "plugin_of_bad.py").write_text(
        "import pluggy\n@pluggy.HookimplMarker('dstop')\ndef sources():\n    raise KeyError('x')\n"
    )
    info = tmp_path / "plugin_of_bad-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin-of-bad\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[dstop]\nbad = plugin_of_bad\n")
    assert dstop("--csv", "--source", "lab").code == 0
    assert "plugin bad is not used: KeyError" in dstop("--json", "--source", "home").err
    del sys.modules["plugin_of_bad"]


def test_narrowing_is_still_a_source():
    """Watching and closing reach the source, and live keeps the filter for the screen."""
    from dstop.view.filter import parse

    behind = FakeSource([make_sample(2, 2)])
    request = Request(settings=Settings(), face="live", filter=parse("pid:1"), only=("1",))
    source = Narrowed(behind, request)
    sample = source.read(patience_s=3.0)
    assert ([gpu.index for gpu in sample.gpus], len(sample.processes)) == ([1], 2)
    source.watch(frozenset({"pcie"}))
    source.close()
    assert (behind.patience_s, behind.watched, behind.closed) == (3.0, {"pcie"}, True)


def test_what_cuda_does_otherwise_is_a_notice(monkeypatch):
    """A list that CUDA reads in a surprising way is explained on every sample."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,9,1")
    request = Request(settings=Settings(), face="json", only_visible=True)
    source = Narrowed(FakeSource([make_sample(2, 0)]), request)
    for _ in range(2):
        sample = source.read()
        assert [gpu.index for gpu in sample.gpus] == [0]
        assert "stops at '9'" in sample.notices[-1]

"""The page `a rule in ten minutes`, followed literally."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from dstop.cli.plugin_template import files_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "plugins" / "README.md").read_text().split("## A rule in ten minutes")[1]


def _dstop(folder, *words):
    # A folder on the path is where pip puts a package; the rest is this very dstop.
    environ = {**os.environ, "PYTHONPATH": f"{folder / 'site'}:{folder / 'dstop-mine'}:{ROOT}"}
    environ["XDG_STATE_HOME"] = environ["XDG_CONFIG_HOME"] = str(folder / "xdg")
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )


def test_the_code_of_the_page_is_what_a_new_plugin_begins_with():
    """Both blocks are the files that `--new` writes, letter by letter."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    files = files_of("dstop-mine")
    assert blocks == [files["dstop_mine.py"], files["tests/test_dstop_mine.py"]]


def test_the_page_can_be_followed(tmp_path):
    """Begin, test, list, explain, and have a crash explained: each command of the page, in its order."""
    prose = re.sub(r"```python\n.*?```", "", PAGE, flags=re.DOTALL)
    commands = re.findall(r"^    (\S.*)$", prose, re.MULTILINE)
    assert [line.split()[0] for line in commands] == ["dstop", "pip", "pytest", "dstop", "dstop", "dstop"]
    begin, _, test, plugins, explain, doctor = (line.split() for line in commands)
    begun = _dstop(tmp_path, *begin)
    assert begun.returncode == 0, begun.stderr
    # In pip's place: the entry points of its pyproject, where pip would write them.
    project = tomllib.loads((tmp_path / "dstop-mine" / "pyproject.toml").read_text())["project"]
    info = tmp_path / "site" / "dstop_mine-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = project["entry-points"]["dstop"]
    (info / "entry_points.txt").write_text("[dstop]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()))
    tested = _dstop(tmp_path, *test, "-q", "-p", "no:cacheprovider", "-c", os.devnull)
    assert tested.returncode == 0, tested.stdout
    assert "2 passed" in tested.stdout
    assert "mine  dstop-mine 0.1.0  labels, rules, evidence\n" in _dstop(tmp_path, *plugins).stdout
    assert "Tokens live for 12 hours" in _dstop(tmp_path, *explain).stdout
    (tmp_path / "crash.log").write_text("step 9\ndatasrv: token expired after 12 h\nOSError: no data\n")
    said = _dstop(tmp_path, *doctor, "--json")
    assert said.returncode == 3, said.stderr
    assert json.loads(said.stdout)["diagnoses"][0]["rule"] == "MY910"


@pytest.mark.parametrize(
    "name", ["", "Mine", "../mine", "a--b", "x" * 60], ids=["empty", "capital", "path", "dashes", "long"]
)
def test_a_new_plugin_needs_a_name(dstop, tmp_path, monkeypatch, name):
    """What is no name of a package is refused, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    said = dstop("plugins", "--new", name)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_folder_that_is_there_is_left_alone(dstop, tmp_path, monkeypatch):
    """A second `--new` of the same name changes nothing."""
    monkeypatch.chdir(tmp_path)
    assert dstop("plugins", "--new", "dstop-mine").code == 0
    (tmp_path / "dstop-mine" / "README.md").write_text("mine")
    assert dstop("plugins", "--new", "dstop-mine").code == 2
    assert (tmp_path / "dstop-mine" / "README.md").read_text() == "mine"

"""The promises of the house: small files, one way for imports, documents that are true."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from dstop.cli.program import dstop as program
from dstop.plugin import Hooks
from dstop.settings.load import load

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "dstop").rglob("*.py"))
MOST_LINES = 350
MOST_FUNCTION_LINES = 60
GUEST = ROOT / "dstop" / "pytorch" / "hook.py"
"""Goes into other people's processes as one text; tests/pytorch/test_bootstrap.py holds its sections to MOST_LINES."""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_answers_one_question(path: Path) -> None:
    """A file that has grown past a few screens is two files."""
    text = path.read_text()
    assert text.count("\n") <= MOST_LINES or path == GUEST
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno <= MOST_FUNCTION_LINES, node.name


def test_nothing_is_mocked_and_no_widget_is_touched_from_a_thread() -> None:
    """Twins instead of mocks; messages instead of calls across threads."""
    for path in (*SOURCES, *(ROOT / "tests").rglob("*.py")):
        if path == Path(__file__):
            continue
        text = path.read_text()
        assert "unittest.mock" not in text, path
        assert "call_from_thread" not in text, path


def test_the_map_in_the_readme_is_complete() -> None:
    """Every room of the house is on the map, and the map has no room that is not there."""
    readme = (ROOT / "README.md").read_text()
    rooms = {f"dstop/{path.name}/" for path in (ROOT / "dstop").iterdir() if (path / "__init__.py").exists()}
    assert set(re.findall(r"^    (dstop/\S+)", readme, re.MULTILINE)) == rooms


def test_the_readme_names_every_verb() -> None:
    """What `dstop --help` lists is in the README."""
    readme = (ROOT / "README.md").read_text()
    for verb in program.commands:
        assert f"dstop {verb}" in readme


def test_the_pictures_of_the_readme_are_there() -> None:
    """No broken picture on the first page."""
    for name in re.findall(r"\((screenshots/[^)]+)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / name).exists(), name


def test_every_hook_is_used() -> None:
    """A hook that neither a plugin of ours nor a test has tried is no hook."""
    users = [*(ROOT / "plugins").rglob("*.py"), *(ROOT / "tests" / "cli").glob("test_*.py")]
    text = "\n".join(path.read_text() for path in users)
    for hook in (name for name in vars(Hooks) if not name.startswith("_")):
        assert f"def {hook}(" in text, hook


def test_nothing_committed_names_a_registry_or_a_font_host() -> None:
    """Pictures and documents open without a network."""
    for path in (ROOT / "screenshots").glob("*.svg"):
        assert "https://cdn" not in path.read_text(), path


def test_the_configuration_in_the_readme_is_one(tmp_path: Path) -> None:
    """Who copies the settings from the README gets the settings they say."""
    readme = (ROOT / "README.md").read_text()
    block = readme.split("## Configuration")[1].split("\n## ")[0]
    lines = [line.strip() for line in block.splitlines() if line.startswith("    ")]
    path = tmp_path / "config.toml"
    path.write_text("\n".join(lines))
    assert len(lines) >= 5
    assert load(str(path), environ={}, flags={}).interval_s == 1.0

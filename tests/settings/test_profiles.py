"""`[[footprint]]` of the configuration file: what is taken, what is refused, and that it survives being saved."""

from __future__ import annotations

import tomllib

import pytest

from dstop.errors import SettingsError
from dstop.settings import Settings, load
from dstop.settings.profiles import parse_profiles
from dstop.settings.save import as_toml

TEXT = """
theme = "dark"

[[footprint]]
match = "train.py"
model = "deepseek-ai/DeepSeek-V2-Lite"
phase = "training"
batch = 2
lora = {rank = 16, targets = ["q_proj"]}
[footprint.parallel]
zero = 3

[[footprint]]
match = "serve"
tier = "deepseek-pro"
"""


def _load(tmp_path, text):
    path = tmp_path / "config.toml"
    path.write_text(text)
    return load(str(path), environ={})


def test_entries_are_read_with_all_that_a_spec_may_have(tmp_path):
    """Tables within stay tables, and the first entry that fits is the first in the file."""
    first, second = _load(tmp_path, TEXT).footprint
    assert (first.match, first.model) == ("train.py", "deepseek-ai/DeepSeek-V2-Lite")
    assert first.as_table()["parallel"] == {"zero": 3}
    assert first.as_table()["lora"] == {"rank": 16, "targets": ["q_proj"]}
    assert second.tier == "deepseek-pro"


def test_what_is_saved_is_read_again(tmp_path):
    """Saving the settings from the screen keeps what the user wrote about models."""
    settings = _load(tmp_path, TEXT)
    again = tomllib.loads(as_toml(settings))
    assert parse_profiles(again["footprint"]) == settings.footprint
    assert _load(tmp_path, as_toml(settings)) == settings
    assert hash(settings.footprint) == hash(parse_profiles(again["footprint"]))
    assert as_toml(Settings()).count("\n") == 1


def test_an_entry_fits_part_of_a_command_line_in_any_case(tmp_path):
    """Words that people remember, not expressions."""
    first, _ = _load(tmp_path, TEXT).footprint
    assert first.fits(("python", "/home/a/Train.py", "--x"))
    assert not first.fits(("python", "eval.py"))
    assert not first.fits(())


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ('model = "x"', "needs `match`"),
        ('match = " "\nmodel = "x"', "needs `match`"),
        ('match = "x"', "says nothing of what matches"),
        ('match = "x"\nmodel = 3', "`model` must be a printable text"),
        ('match = "x"\nlog = "a\\u001bb"', "`log` must be a printable text"),
        ('match = "x"\nbatch = [1]', "`batch` must be a text"),
        ('match = "x"\nsince = 1979-05-27', "`since` must be a text"),
        ('match = "x"\na = {b = {c = {d = {e = 1}}}}', "tables within tables"),
    ],
    ids=["no-match", "blank-match", "nothing", "number", "control", "numbers", "date", "deep"],
)
def test_a_wrong_entry_is_refused_in_one_line(tmp_path, entry, words):
    """What is wrong, where, and nothing is guessed."""
    with pytest.raises(SettingsError) as caught:
        _load(tmp_path, f"[[footprint]]\n{entry}\n")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "footprint" in str(caught.value)


def test_what_is_no_list_of_tables_is_refused(tmp_path):
    """`footprint = 3` and a plain table are mistakes with an example."""
    for text in ("footprint = 3", '[footprint]\nmatch = "x"'):
        with pytest.raises(SettingsError, match="must be tables such as"):
            _load(tmp_path, text)

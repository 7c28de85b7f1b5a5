"""`[[alerts]]` of the configuration file: what is taken, what is refused, and that it survives being saved."""

from __future__ import annotations

import pytest

from dstop.errors import SettingsError
from dstop.settings import Settings, load
from dstop.settings.alerts import USUAL_EVERY_S, parse_duration
from dstop.settings.save import as_toml

TEXT = """
[[alerts]]
name = "full and idle"
when = "gpu.memory_pct > 95 and gpu.utilization_gpu_pct < 5 for 10m"
every = "1h30m"
do = {webhook = "https://chat.example/hook", secret_file = "~/.token", bell = true}

[[alerts]]
when = "finding:DS8*"
do = {command = ["logger", "-t", "dstop \\"x\\""], desktop = true}
"""


def _load(tmp_path, text):
    path = tmp_path / "config.toml"
    path.write_text(text)
    return load(str(path), environ={})


def test_entries_are_read(tmp_path):
    """Name, condition, how often, and what is done."""
    first, second = _load(tmp_path, TEXT).alerts
    assert (first.title, first.every_s) == ("full and idle", 5400)
    assert (first.do.webhook, first.do.secret_file) == ("https://chat.example/hook", "~/.token")
    assert (first.do.bell, first.do.desktop) == (True, False)
    assert (second.title, second.every_s) == ("finding:DS8*", USUAL_EVERY_S)
    assert second.do.command == ("logger", "-t", 'dstop "x"')


def test_what_is_saved_is_read_again(tmp_path):
    """W on the screen keeps what the user wrote about alerts."""
    settings = _load(tmp_path, TEXT)
    assert _load(tmp_path, as_toml(settings)) == settings
    assert hash(settings.alerts)
    assert Settings().alerts == ()


HOOK = 'when = "finding:DS2*"\ndo = {{webhook = "{}"{}}}'


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("", "needs `when`"),
        ("when = 3\ndo = {bell = true}", "`when` must be a printable text"),
        ('when = "a\\u001bb"\ndo = {bell = true}', "`when` must be a printable text"),
        ('when = "x"', "needs `do`, a table"),
        ('when = "x"\ndo = true', "needs `do`, a table"),
        ('when = "x"\ndo = {}', "`do` says nothing"),
        ('when = "x"\ndo = {bell = false}', "`do` says nothing"),
        ('when = "x"\ndo = {bell = 1}', "`do.bell` must be true or false"),
        ('when = "x"\ndo = {bel = true}', 'has no field `do.bel`: did you mean "bell"?'),
        ('wen = "x"\ndo = {bell = true}', 'has no field `wen`: did you mean "when"?'),
        ('when = "x"\nevery = "1s"\ndo = {bell = true}', "`every` must be at least 10s"),
        ('when = "x"\nevery = "soon"\ndo = {bell = true}', "`every` must be a time such as 60s"),
        ('when = "x"\ndo = {command = "rm -rf"}', "`do.command` must be a list of words"),
        ('when = "x"\ndo = {command = []}', "`do.command` must be a list of words"),
        ('when = "x"\ndo = {command = ["", "x"]}', "`do.command` must begin with a program"),
        ('when = "x"\ndo = {command = ["a\\u0000b"]}', "`do.command` must be a list of words"),
        ('when = "x"\ndo = {bell = true, secret_file = "x"}', "`do.secret_file` is for a webhook"),
        (HOOK.format("file:///etc/passwd", ""), "must begin with https://"),
        (HOOK.format("https://", ""), "must begin with https://"),
        (HOOK.format("https://h/a b", ""), "must begin with https://"),
        (HOOK.format("https://h:99999/", ""), "is no address"),
        (HOOK.format("https://[::1/", ""), "is no address"),
        (HOOK.format("https://me:pw@h/", ""), "must have no password in it"),
        (HOOK.format("http://h/", ', secret_file = "x"'), "must be https:// where there is a `secret_file`"),
    ],
)
def test_a_wrong_entry_is_refused_in_one_line(tmp_path, entry, words):
    """What is wrong, where, and the name that was meant."""
    with pytest.raises(SettingsError) as caught:
        _load(tmp_path, f"[[alerts]]\n{entry}\n")
    assert words in str(caught.value)
    assert "alerts" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_list_of_tables_is_refused(tmp_path):
    """`alerts = 3`, a plain table and a thousand entries are mistakes."""
    for text in ("alerts = 3", '[alerts]\nwhen = "x"'):
        with pytest.raises(SettingsError, match="must be tables such as"):
            _load(tmp_path, text)
    with pytest.raises(SettingsError, match="32 entries at most"):
        _load(tmp_path, '[[alerts]]\nwhen = "x"\ndo = {bell = true}\n' * 33)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("5m", 300), ("1h30m", 5400), ("1.5h", 5400), ("60", 60), (45, 45)]
)
def test_times_are_written_as_people_write_them(text, seconds):
    """With units, several of them, or none for seconds."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "5 m", "-5m", "5x", "nan", True, None, "9" * 40])
def test_what_is_no_time_is_refused(text):
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="must be a time"):
        parse_duration(text)

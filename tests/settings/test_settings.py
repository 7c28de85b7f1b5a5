"""Settings: where they come from, which wins, and what is said of a wrong one."""

from __future__ import annotations

import stat
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.errors import SettingsError, UsageError
from dstop.settings import Settings, config_path, load, save
from dstop.settings.load import MOST_BYTES, variable
from dstop.settings.save import as_toml
from dstop.settings.values import COLORS, GROUPS, MODES, NAMES, SORTS, THEMES


@pytest.fixture
def home(tmp_path):
    """Give an environment with a configuration folder of its own."""
    return {"XDG_CONFIG_HOME": str(tmp_path)}


def _write(home, text):
    path = config_path(home)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def _complaint(home, text):
    path = _write(home, text)
    with pytest.raises(SettingsError) as caught:
        load(environ=home)
    assert caught.value.exit_code == 2
    assert path in caught.value.message
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_a_file_everything_has_its_built_in_value(home):
    """A machine without a configuration file gets the built-in settings."""
    assert load(environ=home) == Settings()


def test_every_setting_has_a_check():
    """No field of Settings can be set without being checked."""
    assert tuple(field.name for field in fields(Settings)) == NAMES


def test_the_file_the_environment_and_the_flags_win_in_that_order(home):
    """A flag beats a variable, and a variable beats the file."""
    _write(home, 'theme = "light"\ncolor = "never"\nmode = "full"\ninterval_s = 5\n')
    environ = {**home, "DSTOP_THEME": "dark", "DSTOP_COLOR": "always", "DSTOP_INTERVAL": "3"}
    got = load(environ=environ, flags={"color": "auto"})
    assert (got.theme, got.color, got.mode, got.interval_s) == ("dark", "auto", "full", 3.0)


def test_an_empty_variable_is_no_choice(home):
    """DSTOP_THEME= in the environment does not undo the file."""
    _write(home, 'theme = "light"\n')
    assert load(environ={**home, "DSTOP_THEME": ""}).theme == "light"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("interval_s", "0.25", 0.25),
        ("ascii", "1", True),
        ("readonly", "yes", True),
        ("tree", "off", False),
        ("utilization_thresholds", "5,50", (5, 50)),
        ("memory_thresholds", "20, 90", (20, 90)),
        ("columns", "pid, user", ("pid", "user")),
        ("filter", "user:me mem>1G", "user:me mem>1G"),
        ("sort", "sm", "sm"),
        ("group", "job", "job"),
        ("group", "none", None),
        ("mode", "compact", "compact"),
    ],
)
def test_every_setting_can_be_a_variable(home, name, text, value):
    """A setting is read from its DSTOP_ variable, whatever its type."""
    assert getattr(load(environ={**home, variable(name): text}), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("interval_s", "0.2"),
        ("interval_s", "nan"),
        ("interval_s", "inf"),
        ("interval_s", "fast"),
        ("ascii", "maybe"),
        ("theme", "pink"),
        ("utilization_thresholds", "75,10"),
        ("memory_thresholds", "ten,80"),
        ("columns", "pid,a\x1b[31m"),
    ],
)
def test_a_wrong_variable_is_named_with_what_it_must_be(home, name, text):
    """The complaint about a variable names it and says what it must be."""
    with pytest.raises(SettingsError) as caught:
        load(environ={**home, variable(name): text})
    assert variable(name) in str(caught.value)
    assert "must be" in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_broken_toml_is_told_with_its_line(home):
    """A line that is not TOML is named by file and line."""
    assert "line 2" in _complaint(home, 'theme = "dark"\ncolor never\n')


def test_an_unknown_setting_gets_a_suggestion(home):
    """A misspelt setting is met with the one that was meant."""
    said = _complaint(home, '# mine\n\nthemes = "dark"\n')
    assert "line 3" in said
    assert 'did you mean "theme"?' in said


def test_interval_is_met_with_interval_s(home):
    """Whoever writes interval is told that it is called interval_s."""
    assert 'did you mean "interval_s"?' in _complaint(home, "interval = 2\n")


def test_a_setting_like_no_other_gets_the_list(home):
    """Where nothing is near, all settings are listed."""
    assert "interval_s, theme" in _complaint(home, "zzz = 1\n")


@pytest.mark.parametrize(
    "line",
    [
        "interval_s = 0.1",
        "interval_s = nan",
        "interval_s = inf",
        "interval_s = true",
        'interval_s = "1"',
        "interval_s = 1e99",
        "ascii = 1",
        'ascii = "yes"',
        "theme = 3",
        'theme = "Dark"',
        'mode = "tiny"',
        'filter = "a\\u001b[31m"',
        "sort = ''",
        "utilization_thresholds = [10]",
        "utilization_thresholds = [10, 101]",
        "utilization_thresholds = [true, 75]",
        "memory_thresholds = 10",
        "columns = 'pid'",
        "columns = [1]",
        "[theme]\ndark = true",
    ],
)
def test_a_wrong_value_is_told_with_its_line_and_what_it_must_be(home, line):
    """A value of the wrong type or range is named by line, setting and what it must be."""
    said = _complaint(home, f"# first\n{line}\n")
    assert "line 2" in said
    assert "must " in said


def test_bytes_that_are_not_text_are_told_with_their_line(home):
    """A file in another encoding does not end in a traceback."""
    assert "line 2 is not UTF-8" in _complaint(home, b'theme = "dark"\nsort = "\xff"\n')


def test_a_huge_file_is_not_read(home):
    """Sizes are bounded: a gigabyte named config.toml does not become memory."""
    assert "larger than 1 MiB" in _complaint(home, b"#" * (MOST_BYTES + 1))


def test_deep_nesting_is_an_error_and_no_crash(home):
    """Brackets without end are a complaint, not a stack overflow."""
    assert "is not TOML" in _complaint(home, "columns = " + "[" * 50_000)


@given(st.binary(max_size=200))
def test_no_file_can_raise_anything_but_a_settings_error(tmp_path_factory, data):
    """Whatever bytes the file holds, there are settings or one complaint."""
    home = {"XDG_CONFIG_HOME": str(tmp_path_factory.getbasetemp())}
    _write(home, data)
    try:
        said = str(load(environ=home))
    except SettingsError as error:
        said = str(error)
    assert said.isprintable()


def test_a_directory_in_its_place_is_told(home):
    """A folder named config.toml is a complaint."""
    Path(config_path(home)).mkdir(parents=True)
    with pytest.raises(SettingsError, match="cannot read"):
        load(environ=home)


def test_a_named_file_must_exist(tmp_path):
    """--config with a path that is not there is an error, unlike the usual place."""
    with pytest.raises(SettingsError, match="there is no file"):
        load(str(tmp_path / "nowhere.toml"), environ={})


def test_a_wrong_flag_is_a_usage_error(home):
    """A flag out of range is told by the flag's name, with exit code 2."""
    with pytest.raises(UsageError, match=r"--interval must be at least 0\.25") as caught:
        load(environ=home, flags={"interval_s": 0.1})
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"XDG_CONFIG_HOME": "/etc/xdg", "HOME": "/root"}, "/etc/xdg/dstop/config.toml"),
        ({"XDG_CONFIG_HOME": "relative", "HOME": "/root"}, "/root/.config/dstop/config.toml"),
        ({"HOME": "/home/me"}, "/home/me/.config/dstop/config.toml"),
    ],
)
def test_the_file_is_where_xdg_says(environ, path):
    """XDG_CONFIG_HOME counts when it is absolute, else HOME."""
    assert config_path(environ) == path


_TEXTS = st.text(st.characters(exclude_categories=("C", "Z")), max_size=20)


@given(
    st.builds(
        Settings,
        interval_s=st.floats(0.25, 86400),
        theme=st.sampled_from(THEMES),
        ascii=st.booleans(),
        color=st.sampled_from(COLORS),
        readonly=st.booleans(),
        mode=st.sampled_from(MODES),
        sort=st.sampled_from(SORTS),
        filter=_TEXTS,
        tree=st.booleans(),
        group=st.sampled_from(["user", "job", None]),
        utilization_thresholds=st.just((1, 99)),
        columns=st.lists(_TEXTS.filter(bool), max_size=4).map(tuple),
    )
)
def test_what_is_saved_is_what_is_loaded(tmp_path_factory, settings):
    """Any settings survive being written and read, quotes and backslashes included."""
    path = str(tmp_path_factory.getbasetemp() / "round" / "config.toml")
    assert save(settings, path) == path
    assert load(path, environ={}) == settings


def test_only_what_differs_is_written():
    """A line that says the built-in value would pin it for ever."""
    text = as_toml(Settings(theme="dark"))
    assert [line for line in text.splitlines() if not line.startswith("#")] == ['theme = "dark"']


def test_saving_goes_through_a_link(tmp_path):
    """A configuration file that is a link into a dotfiles folder stays one."""
    real, link = tmp_path / "dotfiles.toml", tmp_path / "config.toml"
    real.write_text("")
    link.symlink_to(real)
    save(Settings(ascii=True), str(link))
    assert link.is_symlink()
    assert "ascii = true" in real.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.toml", "dotfiles.toml"]


def test_an_unwritable_place_is_told_and_leaves_nothing(tmp_path):
    """Where nothing can be written there is one complaint, and no draft stays behind."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot write"):
        save(Settings(), str(tmp_path / "file" / "dstop" / "config.toml"))
    blocked = tmp_path / "config.toml"
    blocked.mkdir()
    with pytest.raises(SettingsError, match="cannot write"):
        save(Settings(), str(blocked))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.toml", "file"]


def test_a_new_folder_is_the_users_alone(tmp_path):
    """The folder that dstop makes for its file is not for others."""
    save(Settings(), str(tmp_path / "new" / "config.toml"))
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_the_orders_and_groups_are_those_of_the_table():
    """What a file may ask for is what the table can do: the settings cannot import it to look."""
    from typing import get_args

    from dstop.view.order import SORT_KEYS
    from dstop.view.rows import GroupKind

    assert tuple(SORT_KEYS) == SORTS
    assert ("none", *get_args(GroupKind)) == GROUPS

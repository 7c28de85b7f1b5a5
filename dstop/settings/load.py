"""Settings from the configuration file, the environment and the command line, each over the one before."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from dstop.errors import SettingsError, UsageError
from dstop.settings.values import NAMES, Settings, parse_text, parse_value, suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_BYTES = 1024 * 1024

_SPECIAL_VARIABLES = {"interval_s": "DSTOP_INTERVAL"}


def config_path(environ: Mapping[str, str] | None = None) -> str:
    """Give where the configuration file is, whether it exists or not (XDG base directories)."""
    environ = os.environ if environ is None else environ
    folder = environ.get("XDG_CONFIG_HOME", "")
    if not folder.startswith("/"):  # the XDG specification: a relative path is ignored
        if sys.platform.startswith("linux"):
            folder = os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".config")  # noqa: PTH111, PTH118
        else:
            import platformdirs  # noqa: PLC0415 - 6 ms, for systems where the place is not plain

            folder = platformdirs.user_config_dir()
    return f"{folder}/dstop/config.toml"


def load(
    path: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Settings:
    """Give the settings of this run.

    Args:
        path: the configuration file; it must exist then. Without it, the usual place is looked at.
        environ: variables such as DSTOP_THEME; the process's own by default.
        flags: what was typed, and only that: name -> value.

    Raises:
        SettingsError: the file cannot be read, or it or a variable says something that is no setting.
        UsageError: a flag says something that cannot be.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = dict(_from_file(path or config_path(environ), must_exist=path is not None))
    values.update(_from_environment(environ))
    for name, value in (flags or {}).items():
        try:
            values[name] = parse_value(name, value)
        except ValueError as error:
            flag = f"--{name.removesuffix('_s').replace('_', '-')}"
            raise UsageError(f"{flag} {error}", fix="try dstop --help") from error
    return Settings(**values)


def variable(name: str) -> str:
    """Give the variable of a setting: DSTOP_THEME for `theme`, DSTOP_INTERVAL for `interval_s`."""
    return _SPECIAL_VARIABLES.get(name, f"DSTOP_{name.upper()}")


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    values = {}
    for name in NAMES:
        text = environ.get(variable(name))
        if not text:
            continue
        try:
            values[name] = parse_text(name, text)
        except ValueError as error:
            raise SettingsError(
                f"{variable(name)}={text[:80]!r} {error}", fix="correct or unset it"
            ) from error
    return values


def _from_file(path: str, *, must_exist: bool) -> dict[str, object]:
    text = _read(path, must_exist=must_exist)
    if text is None:
        return {}
    import tomllib  # noqa: PLC0415 - 15 ms, for those who have a file

    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"{path} is not TOML: {_plain(str(error))}", fix="correct that line") from error
    values = {}
    for name, value in table.items():
        place = f"{path}, line {_line_of(name, text)}"
        try:
            values[name] = parse_value(name, value)
        except KeyError as error:
            words = f"{place}: {_plain(name)!r} is not a setting"
            raise SettingsError(words, fix=suggestion(name)) from error
        except ValueError as error:
            raise SettingsError(f"{place}: {name} {error}", fix="correct or remove it") from error
    return values


def _read(path: str, *, must_exist: bool) -> str | None:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs three milliseconds of start
            data = file.read(MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        if must_exist:
            raise SettingsError(f"there is no file {path}", fix="give --config another path") from error
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"cannot read {path}: {reason}", fix="make it readable") from error
    if len(data) > MOST_BYTES:
        raise SettingsError(f"{path} is larger than 1 MiB", fix="it is no configuration file")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}, line {line} is not UTF-8", fix="save it as UTF-8") from error


def _line_of(name: str, text: str) -> int:
    """Find the line of a top-level key; the parser gives values without their place."""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip().lstrip("[").strip()
        for written in (name, f'"{name}"', f"'{name}'"):
            if words.startswith(written) and words[len(written) :].lstrip()[:1] in {"=", ".", "]"}:
                return number
    return 1


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text[:200])

"""Writing the configuration file, on the user's request alone."""

from __future__ import annotations

import os
from dataclasses import fields

from dstop.errors import SettingsError
from dstop.settings.alerts import AlertRule
from dstop.settings.load import config_path
from dstop.settings.profiles import Profile
from dstop.settings.values import Settings


def save(settings: Settings, path: str | None = None) -> str:
    """Write what differs from the built-in values, and give where.

    The file is replaced in one step, through a link if it is one, so that a crash leaves the old or the new.

    Raises:
        SettingsError: when it cannot be written, or a browser asks: who looks is not who owns the file.
    """
    if os.environ.get("TEXTUAL_DRIVER") == "textual.drivers.web_driver:WebDriver":
        raise SettingsError("settings are not saved from a browser", fix="save them on a terminal")
    target = os.path.realpath(path or config_path())
    folder = os.path.dirname(target)  # noqa: PTH120 - pathlib costs three milliseconds of start
    draft = f"{target}.{os.getpid()}.new"
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103 - as above
        with open(draft, "w", encoding="utf-8") as file:  # noqa: PTH123 - as above
            file.write(as_toml(settings))
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)  # noqa: PTH105 - as above
    except OSError as error:
        if os.path.exists(draft):  # noqa: PTH110 - as above
            os.unlink(draft)  # noqa: PTH108 - as above
        raise SettingsError(f"cannot write {target}: {error.strerror}", fix="check who owns it") from error
    return target


def as_toml(settings: Settings) -> str:
    """Give the settings that differ from the built-in ones as lines of TOML."""
    usual = Settings()
    lines = ["# Written by dstop. A line that is not here has its built-in value."]
    for field in fields(Settings):
        value = getattr(settings, field.name)
        if value != getattr(usual, field.name):
            written = {_toml(name): price for name, price in value} if field.name == "prices" else value
            lines.append(f"{field.name} = {_toml(written)}")
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Profile | AlertRule):
        return _toml(value.as_table())
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_toml(part)}" for name, part in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(part) for part in value) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)

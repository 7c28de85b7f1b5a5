"""`dstop plugins`: which are installed, what each adds, and why one is not used."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dstop.cli import terminal
from dstop.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.plugin import PluginFacts

_NONE = "no plugin is installed: dstop plugins --new dstop-mine writes one to begin from\n"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MOST_NAME = 40


def plugins_verb(options: Mapping[str, Any]) -> None:
    """List the plugins, or write a new one.

    Raises:
        UsageError: the name of a new one is none, or its folder is there.
    """
    if options["new"] is not None:
        begin(options["new"])
        return
    from dstop.doctor.plugged import plugged  # noqa: PLC0415 - a verb loads what it needs
    from dstop.plugin import installed  # noqa: PLC0415 - as above

    loaded = installed()
    plugins = () if loaded is None else loaded.plugins
    rules = plugged()
    if options["json"]:
        terminal.write((json.dumps(plugins_object(plugins, rules.notices)) + "\n").encode())
        return
    lines = plugin_lines(plugins)
    lines += [f"{notice}\n" for notice in rules.notices]
    terminal.write("".join(lines).encode() if plugins else _NONE.encode())


def plugins_object(plugins: Sequence[PluginFacts], notices: Sequence[str]) -> dict[str, object]:
    """Give the list as JSON has it."""
    return {
        "schema": 1,
        "plugins": [
            {
                "name": one.name,
                "package": one.package,
                "version": one.version,
                "hooks": list(one.hooks),
                "used": one.trouble is None,
                "trouble": one.trouble,
            }
            for one in plugins
        ],
        "notices": list(notices),
    }


def plugin_lines(plugins: Sequence[PluginFacts]) -> list[str]:
    """Write a line for each plugin: its name, package and version, and what it adds or why it is not used."""
    if not plugins:
        return []
    packages = [f"{one.package or '?'} {one.version or ''}".strip() for one in plugins]
    name, package = max(len(one.name) for one in plugins), max(map(len, packages))
    return [
        f"{one.name:<{name}}  {text:<{package}}  {_state(one)}\n"
        for one, text in zip(plugins, packages, strict=True)
    ]


def _state(one: PluginFacts) -> str:
    if one.trouble is not None:
        return f"not used: {one.trouble}"
    return ", ".join(one.hooks) or "adds nothing: it implements no hook"


def begin(name: str) -> None:
    """Write a plugin to begin from, into a folder of its name.

    Raises:
        UsageError: the name is none of a package, or the folder is there.
    """
    if not _NAME.fullmatch(name) or len(name) > _MOST_NAME:
        raise UsageError(f"--new: {name[:60]!r} is no name of a package", fix="such as dstop-mine")
    folder = Path(name)
    from dstop.cli.plugin_template import files_of  # noqa: PLC0415 - a verb loads what it needs

    try:
        folder.mkdir()
    except FileExistsError:
        raise UsageError(f"--new: {name} is there already", fix="take another name") from None
    except OSError as error:
        raise UsageError(
            f"--new: {name} cannot be made: {error.strerror}", fix="stand in another folder"
        ) from None
    for path, text in files_of(name).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    terminal.write(f"{name}/ is a plugin: pip install -e {name} && dstop plugins && pytest {name}\n".encode())

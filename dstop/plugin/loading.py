"""Which plugins are installed, which of them work, and why another does not."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dstop.model.value import Value
from dstop.plugin.bounded import printable, why, within
from dstop.plugin.hooks import GROUP, NAMES, Hooks

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pluggy

LOAD_S = 5.0
"""How long an import may take: a stranger's module that imports torch takes three."""
MOST_PLUGINS = 64
_NAME_CHARS = 60


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PluginFacts(Value):
    """One installed plugin."""

    name: str
    """Of its entry point."""
    package: str | None = None
    version: str | None = None
    hooks: tuple[str, ...] = ()
    """That it implements."""
    trouble: str | None = None
    """Why it is not used; None where it is."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Loaded(Value):
    """The plugins that work, and a sentence for each one that does not."""

    manager: pluggy.PluginManager
    notices: tuple[str, ...]
    plugins: tuple[PluginFacts, ...] = ()
    """Every one that is installed, by name."""


def plugin_manager(*, entry_points: bool = True, patience_s: float = LOAD_S) -> Loaded:
    """Load every plugin that can be loaded; one that fails or hangs is named in a notice, and stops no other."""
    import pluggy  # noqa: PLC0415 - most runs have no plugin and need not wait for it

    manager = pluggy.PluginManager(GROUP)
    mark = pluggy.HookspecMarker(GROUP)
    for name in NAMES:
        mark(getattr(Hooks, name))
    manager.add_hookspecs(Hooks)
    plugins: list[PluginFacts] = []
    if entry_points:
        from importlib import metadata  # noqa: PLC0415 - it costs 40 ms

        entries = sorted(metadata.entry_points(group=GROUP), key=lambda entry: entry.name)
        plugins = [_register(manager, entry, patience_s) for entry in entries[:MOST_PLUGINS]]
    notices = [f"plugin {one.name} is not used: {one.trouble}" for one in plugins if one.trouble is not None]
    return Loaded(manager, tuple(notices), tuple(plugins))


def _register(manager: pluggy.PluginManager, entry: Any, patience_s: float) -> PluginFacts:
    name = printable(str(entry.name), _NAME_CHARS)
    hooks: tuple[str, ...] = ()
    trouble: str | None = None
    if manager.has_plugin(name):
        trouble = "another plugin has the same name"
    else:
        try:
            plugin = within(patience_s, entry.load)
            manager.register(plugin, name=name)
            manager.check_pending()
            hooks = hooks_of(manager, name)
        except Exception as error:  # noqa: BLE001 - a stranger's import may raise anything
            leave_out(manager, name)
            trouble = why(error)
    package = getattr(entry, "dist", None)
    return PluginFacts(
        name=name,
        package=None if package is None else printable(str(package.name), _NAME_CHARS),
        version=None if package is None else printable(str(package.version), _NAME_CHARS),
        hooks=hooks,
        trouble=trouble,
    )


def hooks_of(manager: pluggy.PluginManager, name: str) -> tuple[str, ...]:
    """Give the hooks that a plugin implements."""
    return tuple(
        hook
        for hook in NAMES
        if any(one.plugin_name == name for one in getattr(manager.hook, hook).get_hookimpls())
    )


def leave_out(manager: pluggy.PluginManager, name: str) -> None:
    """Ask a plugin nothing more; one that is out already stays out."""
    if manager.has_plugin(name):
        manager.unregister(name=name)


def any_installed(path: Iterable[str] | None = None) -> bool:
    """Whether a package with a `dstop` entry point is on the path, without the 40 ms of importlib.metadata.

    Only unpacked packages are seen (wheels and editable installs): none other is installed nowadays.
    """
    for folder in sys.path if path is None else path:
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208 - pathlib costs three milliseconds of start
        except OSError:
            continue
        for name in names:
            if name.endswith((".dist-info", ".egg-info")) and _names_us(f"{folder or '.'}/{name}"):
                return True
    return False


def _names_us(package: str) -> bool:
    try:
        with open(f"{package}/entry_points.txt", "rb") as file:  # noqa: PTH123 - pathlib costs start time
            lines = file.read(64 * 1024).splitlines()
    except OSError:
        return False
    return any(line.strip() == b"[dstop]" for line in lines)


_LOCK = threading.Lock()
_FOUND: dict[tuple[str, ...], Loaded | None] = {}


def installed() -> Loaded | None:
    """Give the installed plugins, or None when there are none; loaded once, whoever asks first.

    So a plugin that hangs costs its time once, and what is left out for one of its hooks is left out for all.
    """
    with _LOCK:
        path = tuple(sys.path)
        if path not in _FOUND:
            _FOUND.clear()
            _FOUND[path] = plugin_manager() if any_installed() else None
        return _FOUND[path]

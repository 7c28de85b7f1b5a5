"""What a plugin can add, and loading that survives a plugin that is broken.

A plugin is any installed package with an entry point in the group `dstop`; first-party ones live in
`plugins/` and use nothing that a third party could not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from collections.abc import Set as AbstractSet

    import pluggy

    from dstop.model.process import GpuProcess, ProcessFacts
    from dstop.model.sample import Sample
    from dstop.sources import Source

    _Known = dict[tuple[int, float | None], ProcessFacts]

GROUP = "dstop"

MOST_LABELS = 8
_LABEL_CHARS = 64
_MOST_ENVIRON_BYTES = 256 * 1024


class Hooks:
    """The hookspecs. Implement any of them with `pluggy.HookimplMarker("dstop")`."""

    def sources(self) -> Mapping[str, Callable[[], Source]]:  # type: ignore[empty-body]
        """Give places that samples can come from, for `dstop --source NAME`: name -> what opens it."""

    def labels(self, process: ProcessFacts, environ: Mapping[str, str]) -> Mapping[str, str] | None:
        """Say what a process is, from its facts and its environment (empty where it may not be read).

        Called once for each process, not for each reading.
        """


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Loaded(Value):
    """The plugins that work, and a sentence for each one that does not."""

    manager: pluggy.PluginManager
    notices: tuple[str, ...]


def plugin_manager(*, entry_points: bool = True) -> Loaded:
    """Load every plugin that can be loaded; one that fails is named in a notice, and stops no other."""
    import pluggy  # noqa: PLC0415 - most runs have no plugin and need not wait for it

    manager = pluggy.PluginManager(GROUP)
    mark = pluggy.HookspecMarker(GROUP)
    for name in ("sources", "labels"):
        mark(getattr(Hooks, name))
    manager.add_hookspecs(Hooks)
    notices: list[str] = []
    if entry_points:
        from importlib import metadata  # noqa: PLC0415 - it costs 40 ms

        for entry in metadata.entry_points(group=GROUP):
            notices += _register(manager, entry)
    return Loaded(manager, tuple(notices))


def _register(manager: pluggy.PluginManager, entry: Any) -> list[str]:
    try:
        plugin = entry.load()
        manager.register(plugin, name=entry.name)
        manager.check_pending()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's import may raise anything
        manager.unregister(name=entry.name)
        return [f"plugin {entry.name} is not used: {_one_line(error)}"]
    return []


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


def installed() -> Loaded | None:
    """Give the installed plugins, or None when there are none."""
    return plugin_manager() if any_installed() else None


class Labeller:
    """Adds the labels of plugins to the processes of a sample; each process is asked about once.

    Args:
        load: gives the plugins, or None without any; called late, so that the first frame does not wait.
        environ_of: reads a process's environment; it may raise OSError.
        defer: samples to let through before anything is loaded.
    """

    def __init__(
        self,
        load: Callable[[], Loaded | None] | None = None,
        *,
        environ_of: Callable[[int], Mapping[str, str]] | None = None,
        defer: int = 0,
    ) -> None:
        self._load = load or installed
        self._environ_of = environ_of or read_environ
        self._defer = defer
        self._loaded: Loaded | None = None
        self._looked = False
        self._notices: tuple[str, ...] = ()
        self._known: _Known = {}

    def __call__(self, sample: Sample) -> Sample:
        """Give the sample with labels, and with a notice for every plugin that does not work."""
        if self._defer > 0:
            self._defer -= 1
            return sample
        if not self._looked:
            self._looked = True
            self._loaded = self._load()
            self._notices = self._loaded.notices if self._loaded is not None else ()
        if self._loaded is None:
            return sample
        manager = self._loaded.manager
        known: _Known = {}
        processes = tuple(self._labelled(process, known, manager) for process in sample.processes)
        self._known = known
        return replace(sample, processes=processes, notices=(*sample.notices, *self._notices))

    def _labelled(self, row: GpuProcess, known: _Known, manager: pluggy.PluginManager) -> GpuProcess:
        identity = (row.pid, row.facts.started_at_s)
        if identity not in known:
            known[identity] = self._known.get(identity) or self._ask(row.facts, manager)
        facts = known[identity]
        return replace(row, facts=replace(row.facts, labels=facts.labels)) if facts.labels else row

    def _ask(self, facts: ProcessFacts, manager: pluggy.PluginManager) -> ProcessFacts:
        try:
            environ = self._environ_of(facts.pid)
        except (OSError, ValueError):
            environ = {}
        labels = dict(facts.labels)
        for hook in manager.hook.labels.get_hookimpls():
            try:
                given = hook.function(
                    **{name: {"process": facts, "environ": environ}[name] for name in hook.argnames}
                )
                labels.update(_cleaned(given))
            except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
                manager.unregister(name=hook.plugin_name)
                self._notices += (f"plugin {hook.plugin_name} is not used any more: {_one_line(error)}",)
        return replace(facts, labels=dict(list(labels.items())[:MOST_LABELS]))


def _cleaned(labels: object) -> dict[str, str]:
    """Make a plugin's answer fit to draw: a few short, printable texts."""
    pairs = list(labels.items())[:MOST_LABELS] if isinstance(labels, Mapping) else []
    return {_printable(str(key)): _printable(str(value)) for key, value in pairs}


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text[:_LABEL_CHARS])


def _one_line(error: BaseException) -> str:
    words = " ".join(f"{type(error).__name__}: {error}".split())
    return "".join(char if char.isprintable() else "?" for char in words[:200])


def read_environ(pid: int) -> dict[str, str]:
    """Read `/proc/PID/environ`, at most 256 KiB of it.

    Raises:
        OSError: when the process is gone or another user's.
    """
    with open(f"/proc/{pid:d}/environ", "rb") as file:  # noqa: PTH123 - pathlib costs start time
        text = file.read(_MOST_ENVIRON_BYTES).decode("utf-8", "replace")
    return dict(pair.split("=", 1) for pair in text.split("\0") if "=" in pair)


class LabelledSource:
    """A source whose processes carry the labels of plugins."""

    def __init__(self, source: Source, labeller: Labeller) -> None:
        self._source, self._labeller = source, labeller

    def read(self, *, patience_s: float = 0.5) -> Sample:
        """Read the source, then ask the plugins about new processes."""
        return self._labeller(self._source.read(patience_s=patience_s))

    def watch(self, fields: AbstractSet[str]) -> None:
        """Pass on which costly fields are looked at."""
        self._source.watch(fields)

    def close(self) -> None:
        """Close the source."""
        self._source.close()

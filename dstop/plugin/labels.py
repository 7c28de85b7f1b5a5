"""Labels and figures of plugins on the processes of a sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dstop.plugin.bounded import printable, why, within
from dstop.plugin.loading import Loaded, installed, leave_out

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from dstop.model.process import GpuProcess, ProcessFacts
    from dstop.model.sample import Sample
    from dstop.plugin.figures import Figures
    from dstop.sources import Source

    _Identity = tuple[int, float | None]
    _Labels = dict[str, str]

MOST_LABELS = 8
LABELS_S = 2.0
"""How long one plugin may take over the new processes of a reading."""
_LABEL_CHARS = 64
_MOST_ENVIRON_BYTES = 256 * 1024


class Labeller:
    """Adds the labels of plugins to the processes of a sample; each process is asked about once.

    Args:
        load: gives the plugins, or None without any; called late, so that the first frame does not wait.
        environ_of: reads a process's environment; it may raise OSError.
        defer: samples to let through before anything is loaded.
        patience_s: how long a plugin may take over the new processes of a reading.
    """

    def __init__(
        self,
        load: Callable[[], Loaded | None] | None = None,
        *,
        environ_of: Callable[[int], Mapping[str, str]] | None = None,
        defer: int = 0,
        patience_s: float = LABELS_S,
    ) -> None:
        self._load = load or installed
        self._environ_of = environ_of or read_environ
        self._defer = defer
        self._patience_s = patience_s
        self._loaded: Loaded | None = None
        self._looked = False
        self._notices: tuple[str, ...] = ()
        self._known: dict[_Identity, _Labels] = {}

    def __call__(self, sample: Sample) -> Sample:
        """Give the sample with labels, and with a notice for every plugin that does not work."""
        if self._defer > 0:
            self._defer -= 1
            return sample
        if not self._looked:
            self._looked = True
            self._loaded = self._load()
            if self._loaded is not None:
                from dstop.plugin.models import offer  # noqa: PLC0415 - where there are plugins

                self._notices = self._loaded.notices
                offer()
        if self._loaded is None:
            return sample
        facts = {(row.pid, row.facts.started_at_s): row.facts for row in sample.processes}
        fresh = {identity: each for identity, each in facts.items() if identity not in self._known}
        self._known = {identity: self._known[identity] for identity in facts if identity in self._known}
        if fresh:
            self._known.update(self._ask(fresh, self._loaded))
        processes = tuple(self._labelled(row) for row in sample.processes)
        return replace(sample, processes=processes, notices=(*sample.notices, *self._notices))

    @property
    def has_plugins(self) -> bool:
        """Whether there are plugins, as far as has been looked."""
        return self._loaded is not None

    def _labelled(self, row: GpuProcess) -> GpuProcess:
        labels = self._known[row.pid, row.facts.started_at_s]
        return replace(row, facts=replace(row.facts, labels=labels)) if labels else row

    def _ask(self, fresh: Mapping[_Identity, ProcessFacts], loaded: Loaded) -> dict[_Identity, _Labels]:
        found = {identity: dict(facts.labels) for identity, facts in fresh.items()}
        environs = {identity: self._environ(facts.pid) for identity, facts in fresh.items()}
        for hook in loaded.manager.hook.labels.get_hookimpls():
            answers: list[tuple[_Identity, _Labels]] = []
            try:
                within(self._patience_s, lambda: _label_all(hook, fresh, environs, answers))  # noqa: B023 - it ends before the next
            except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
                leave_out(loaded.manager, hook.plugin_name)
                self._notices += (f"plugin {hook.plugin_name} is not used any more: {why(error)}",)
            for identity, given in answers.copy():
                found[identity].update(given)
        return {identity: dict(list(labels.items())[:MOST_LABELS]) for identity, labels in found.items()}

    def _environ(self, pid: int) -> Mapping[str, str]:
        try:
            return self._environ_of(pid)
        except (OSError, ValueError):
            return {}


def _label_all(
    hook: Any,
    fresh: Mapping[_Identity, ProcessFacts],
    environs: Mapping[_Identity, Mapping[str, str]],
    answers: list[tuple[_Identity, _Labels]],
) -> None:
    """Ask about one process after the other; what was answered before a failure counts."""
    for identity, facts in fresh.items():
        given = {"process": facts, "environ": environs[identity]}
        answers.append((identity, _cleaned(hook.function(**{name: given[name] for name in hook.argnames}))))


def _cleaned(labels: object) -> dict[str, str]:
    """Make a plugin's answer fit to draw: a few short, printable texts."""
    pairs = list(labels.items())[:MOST_LABELS] if isinstance(labels, Mapping) else []
    return {printable(str(key), _LABEL_CHARS): printable(str(value), _LABEL_CHARS) for key, value in pairs}


def read_environ(pid: int) -> dict[str, str]:
    """Read `/proc/PID/environ`, at most 256 KiB of it.

    Raises:
        OSError: when the process is gone or another user's.
    """
    with open(f"/proc/{pid:d}/environ", "rb") as file:  # noqa: PTH123 - pathlib costs start time
        text = file.read(_MOST_ENVIRON_BYTES).decode("utf-8", "replace")
    return dict(pair.split("=", 1) for pair in text.split("\0") if "=" in pair)


class LabelledSource:
    """A source whose processes carry the labels of plugins, and their figures.

    Args:
        source: what is read.
        labeller: adds labels, and knows whether there are plugins at all.
        figures_s: how long the first sample may wait for figures; None for a source without them.
    """

    def __init__(self, source: Source, labeller: Labeller, *, figures_s: float | None = None) -> None:
        self._source, self._labeller, self._figures_s = source, labeller, figures_s
        self._figures: Figures | None = None

    def read(self, *, patience_s: float = 0.5) -> Sample:
        """Read the source, then ask the plugins about new processes; figures come from their own threads."""
        sample = self._labeller(self._source.read(patience_s=patience_s))
        if self._figures is None and self._figures_s is not None and self._labeller.has_plugins:
            from dstop.plugin.figures import Figures  # noqa: PLC0415 - where there are plugins

            self._figures = Figures(patience_s=self._figures_s)
        return sample if self._figures is None else self._figures(sample)

    def watch(self, fields: AbstractSet[str]) -> None:
        """Pass on which costly fields are looked at."""
        self._source.watch(fields)

    def close(self) -> None:
        """Close the source; a plugin that is under way is not waited for."""
        if self._figures is not None:
            self._figures.close()
        self._source.close()

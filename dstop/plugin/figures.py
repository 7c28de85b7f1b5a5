"""Figures that processes tell of themselves, read by plugins in threads of their own, so that no reading waits."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dstop.model.process import ProcessFigure
from dstop.plugin.bounded import HangError, printable, why
from dstop.plugin.labels import read_environ
from dstop.plugin.loading import Loaded, installed, leave_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.model.process import GpuProcess, ProcessFacts
    from dstop.model.sample import Sample

    _Identity = tuple[int, float | None]
    _Answers = dict[_Identity, tuple[ProcessFigure, ...]]

EVERY_S = 2.0
ROUND_S = 10.0
"""How long a plugin may take over all processes once; then it is left out."""
MOST_FIGURES = 8
MOST_PROCESSES = 1024
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_WHY_CHARS = 120
_LARGEST = 1e18
"""What a recording can hold; no figure of a machine comes near it."""


class Figures:
    """Adds to each process what plugins last read of it. One thread calls it; each plugin has another.

    Args:
        load: gives the plugins, or None without any.
        environ_of: reads a process's environment; it may raise OSError.
        patience_s: how long the first sample may wait for figures: what is printed once has no second.
        every_s: seconds between two rounds.
        round_s: how long a plugin may take over one.
    """

    def __init__(
        self,
        load: Callable[[], Loaded | None] | None = None,
        *,
        environ_of: Callable[[int], Mapping[str, str]] | None = None,
        patience_s: float = 0.0,
        every_s: float = EVERY_S,
        round_s: float = ROUND_S,
    ) -> None:
        self._load = load or installed
        self._environ_of = environ_of or read_environ
        self._patience_s = patience_s
        self._every_s, self._round_s = every_s, round_s
        self._readers: list[_Reader] | None = None
        self._loaded: Loaded | None = None
        self._notices: tuple[str, ...] = ()

    def __call__(self, sample: Sample) -> Sample:
        """Give the sample with the newest figures, and with a notice for every plugin that failed at them."""
        if self._readers is None:
            self._readers = self._started()
        if not self._readers:
            return replace(sample, notices=(*sample.notices, *self._notices)) if self._notices else sample
        facts = {(row.pid, row.facts.started_at_s): row.facts for row in sample.processes}
        wanted = dict(list(facts.items())[:MOST_PROCESSES])
        for reader in self._readers:
            reader.want(wanted)
        until, self._patience_s = time.monotonic() + self._patience_s, 0.0
        answers: list[_Answers] = []
        for reader in list(self._readers):
            reader.first.wait(max(0.0, until - time.monotonic()))
            trouble = reader.trouble(self._round_s)
            if trouble is None:
                answers.append(reader.answers)
            else:
                self._drop(reader, trouble)
        rows = tuple(_with(row, answers) for row in sample.processes)
        return replace(sample, processes=rows, notices=(*sample.notices, *self._notices))

    def close(self) -> None:
        """Begin no round any more."""
        for reader in self._readers or ():
            reader.stop()

    def _started(self) -> list[_Reader]:
        self._loaded = self._load()
        hooks = [] if self._loaded is None else self._loaded.manager.hook.figures.get_hookimpls()
        return [_Reader(hook, self._environ_of, self._every_s) for hook in hooks]

    def _drop(self, reader: _Reader, trouble: str) -> None:
        reader.stop()
        if self._readers is not None:
            self._readers.remove(reader)
        if self._loaded is not None:
            leave_out(self._loaded.manager, reader.name)
        self._notices += (f"plugin {reader.name} is not used any more: {trouble}",)


class _Reader:
    """The thread of one plugin: a round over the processes that are wanted, again and again."""

    def __init__(self, hook: Any, environ_of: Callable[[int], Mapping[str, str]], every_s: float) -> None:
        self.name: str = hook.plugin_name
        self.answers: _Answers = {}
        """Of the last round that ended; replaced whole, never changed."""
        self.first = threading.Event()
        """Set once there are answers, or none will come."""
        self._hook, self._environ_of, self._every_s = hook, environ_of, every_s
        self._wanted: Mapping[_Identity, ProcessFacts] = {}
        self._environs: dict[_Identity, Mapping[str, str]] = {}
        self._began: float | None = None
        self._error: BaseException | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def want(self, facts: Mapping[_Identity, ProcessFacts]) -> None:
        """Say of which processes figures are wanted from the next round on."""
        self._wanted = facts
        if self._thread is None and facts:
            self._thread = threading.Thread(target=self._run, name=f"dstop-{self.name}"[:40], daemon=True)
            self._thread.start()
        if not facts:
            self.answers = {}

    def trouble(self, round_s: float) -> str | None:
        """Give why the plugin can be asked no more: it failed, or a round has lasted too long; else None."""
        began = self._began
        if self._error is not None:
            return why(self._error)
        if began is not None and time.monotonic() - began > round_s:
            return why(HangError(f"its figures did not come within {round_s:g} s"))
        return None

    def stop(self) -> None:
        """Begin no round any more."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._began = time.monotonic()
            try:
                answers = self._round(self._wanted)
            except BaseException as error:  # noqa: BLE001 - a stranger's code may raise anything
                self._error = error
                self.answers = {}
                self.first.set()
                return
            self.answers = answers
            self._began = None
            self.first.set()
            self._stop.wait(self._every_s)

    def _round(self, wanted: Mapping[_Identity, ProcessFacts]) -> _Answers:
        self._environs = {identity: each for identity, each in self._environs.items() if identity in wanted}
        answers: _Answers = {}
        for identity, facts in wanted.items():
            if self._stop.is_set():
                break
            given: dict[str, object] = {"process": facts}
            if "environ" in self._hook.argnames:
                given["environ"] = self._environ(identity)
            told = self._hook.function(**{name: given[name] for name in self._hook.argnames})
            figures = figures_of(told)
            if figures:
                answers[identity] = figures
        return answers

    def _environ(self, identity: _Identity) -> Mapping[str, str]:
        if identity not in self._environs:
            try:
                self._environs[identity] = self._environ_of(identity[0])
            except (OSError, ValueError):
                self._environs[identity] = {}
        return self._environs[identity]


def figures_of(told: object) -> tuple[ProcessFigure, ...]:
    """Make a plugin's answer fit to keep: a few figures with plain names, each a finite number or a short reason."""
    found: list[ProcessFigure] = []
    for name, value in list(told.items())[:MOST_FIGURES] if isinstance(told, Mapping) else ():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            found.append(ProcessFigure(name=name, why=printable(str(value), _WHY_CHARS) or "not known"))
        elif abs(value) < _LARGEST:  # neither infinite nor NaN, and no whole number without end
            found.append(ProcessFigure(name=name, value=float(value)))
        else:
            found.append(ProcessFigure(name=name, why="not a number"))
    return tuple(found)


def _with(row: GpuProcess, answers: list[_Answers]) -> GpuProcess:
    identity = (row.pid, row.facts.started_at_s)
    figures = [figure for each in answers for figure in each.get(identity, ())]
    return replace(row, figures=tuple(figures[:MOST_FIGURES])) if figures else row

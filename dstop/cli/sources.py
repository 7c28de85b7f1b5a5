"""Opening what samples come from, with only what was asked for in them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from dstop.errors import DstopError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from dstop.cli.request import Request
    from dstop.model.sample import Sample
    from dstop.sources import Source

FIGURES_S = 1.0
"""How long one sample on paper waits for what processes tell of themselves."""

SOURCES_S = 15.0
"""How long a plugin may take to open its source: a driver that wakes its cards takes seconds."""


def open_source(request: Request) -> Source:
    """Give the driver, or the plugin's source that was asked for, with the labels of plugins.

    Raises:
        UsageError: when no plugin has a source of that name.
        DstopError: when the plugin cannot open it.
    """
    from dstop.plugin import LabelledSource, Labeller  # noqa: PLC0415 - a verb loads what it needs

    if request.source is not None:
        return _of_plugin(request.source)
    from dstop.sources.nvml.source import NvmlSource  # noqa: PLC0415 - as above

    defer = 1 if request.face == "live" else 0
    # What is printed once has no second sample that could bring the figures.
    return LabelledSource(NvmlSource(), Labeller(defer=defer), figures_s=0.0 if defer else FIGURES_S)


def _of_plugin(name: str) -> Source:
    from dstop.plugin import plugin_manager  # noqa: PLC0415 - as above
    from dstop.plugin.bounded import why, within  # noqa: PLC0415 - as above

    loaded = plugin_manager()
    notices = list(loaded.notices)
    openers: dict[str, Callable[[], Source]] = {}
    for hook in loaded.manager.hook.sources.get_hookimpls():
        function = cast("Callable[[], Mapping[str, Callable[[], Source]]]", hook.function)
        try:
            given = within(SOURCES_S, lambda: dict(function()))  # noqa: B023 - it ends before the next
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            notices.append(f"plugin {hook.plugin_name} is not used: {why(error)}")
        else:
            openers |= {str(key): opener for key, opener in given.items()}
    if name not in openers:
        known = ", ".join(sorted(openers)) or "none"
        fix = "; ".join((f"sources of installed plugins: {known}", *notices))
        raise UsageError(f"--source: no plugin has a source {name[:60]!r}", fix=fix)
    try:
        source = within(SOURCES_S, openers[name])
    except DstopError:
        raise
    except Exception as error:  # a stranger's code may raise anything
        raise DstopError(
            f"the source {name} cannot be opened: {error}", fix="ask its plugin's author"
        ) from error
    return source


class Narrowed:
    """A source with only the GPUs and processes that were asked for."""

    def __init__(self, source: Source, request: Request) -> None:
        self._source, self._request = source, request
        self._indices: tuple[int, ...] | None = None
        self._notices: tuple[str, ...] = ()
        self._chosen = not (request.only or request.only_visible)

    def read(self, *, patience_s: float = 0.5) -> Sample:
        """Read the source and leave out the rest.

        Raises:
            UsageError: at the first reading, for a GPU that is not there.
            SourceError: when the source has nothing.
        """
        from dataclasses import replace  # noqa: PLC0415 - keeps the import of the command line small

        from dstop.view.only import narrow  # noqa: PLC0415 - as above

        sample = self._source.read(patience_s=patience_s)
        if not self._chosen:
            self._choose(sample)
        request = self._request
        live = request.face == "live"  # there the filter can be changed, and is the screen's
        rest = {} if request.filter is None or live else {"filter": request.filter}
        sample = narrow(
            sample,
            gpu_indices=self._indices,
            users=request.users,
            pids=request.pids,
            processes=request.processes,
            **rest,
        )
        return replace(sample, notices=(*sample.notices, *self._notices)) if self._notices else sample

    def watch(self, fields: AbstractSet[str]) -> None:
        """Pass on which costly fields are looked at."""
        self._source.watch(fields)

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _choose(self, sample: Sample) -> None:
        """Decide which GPUs once: a card that falls off the bus later stays in sight."""
        from dstop.view.gpus import select_gpus, visible_devices  # noqa: PLC0415 - as above

        indices = select_gpus(sample.gpus, self._request.only) if self._request.only else None
        visible = visible_devices(os.environ, sample.gpus) if self._request.only_visible else None
        if visible is not None:
            self._notices = (visible.note,) if visible.note else ()
            indices = tuple(index for index in visible.indices if indices is None or index in indices)
        self._indices = indices
        self._chosen = True

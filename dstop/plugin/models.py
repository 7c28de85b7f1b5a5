"""Models that plugins can read, for what a model should need: asked for only where dstop has no reader of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dstop.errors import PlanError
from dstop.footprint.architecture.families import MORE
from dstop.plugin.bounded import why, within
from dstop.plugin.loading import Loaded, installed, leave_out

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dstop.footprint.architecture.families import Reader
    from dstop.footprint.architecture.fields import Fields
    from dstop.footprint.architecture.values import Architecture

READ_S = 2.0
MOST_MODELS = 256


def offer() -> None:
    """Have models of families that are not known looked for in plugins; nothing is loaded by it."""
    if of_installed not in MORE:
        MORE.append(of_installed)


def of_installed() -> Mapping[str, Reader]:
    """Give the readers of the installed plugins."""
    loaded = installed()
    return {} if loaded is None else readers_of(loaded)


def readers_of(loaded: Loaded) -> Mapping[str, Reader]:
    """Ask plugins for their readers; of two for one family the first stays, and one that fails has none."""
    found: dict[str, Reader] = {}
    for hook in loaded.manager.hook.models.get_hookimpls():
        try:
            function = cast("Callable[[], Mapping[str, Reader]]", hook.function)
            given = within(READ_S, lambda: dict(function()))  # noqa: B023 - it ends before the next
        except Exception:  # noqa: BLE001 - a stranger's code may raise anything; `dstop plugins` says why
            leave_out(loaded.manager, hook.plugin_name)
            continue
        for family, read in list(given.items())[:MOST_MODELS]:
            found.setdefault(str(family), _guarded(read, hook.plugin_name))
    return found


def _guarded(read: Callable[[Fields, str], object], plugin: str) -> Reader:
    def ask(fields: Fields, family: str) -> Architecture:
        """Read, with a deadline.

        Raises:
            PlanError: the config cannot be read, or the reader failed.
        """
        from dstop.footprint.architecture.values import Architecture  # noqa: PLC0415 - where a model is read

        try:
            model = within(READ_S, lambda: read(fields, family))
        except PlanError:
            raise
        except Exception as error:
            raise PlanError(
                f"model: plugin {plugin} failed at it: {why(error)}", fix="ask its author"
            ) from error
        if not isinstance(model, Architecture):
            raise PlanError(f"model: plugin {plugin} gives no Architecture for it", fix="ask its author")
        return model

    return ask

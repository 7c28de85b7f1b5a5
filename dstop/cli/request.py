"""What was asked of one run, once its options are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.errors import UsageError
from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.settings import Settings
    from dstop.view.filter import Filter


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Request(Value):
    """One run of `dstop` or `dstop demo`."""

    settings: Settings
    face: str
    """`live`, `text`, `json`, `csv` or `csv-processes`."""
    repeat: bool = False
    """Print a sample each interval, not one alone."""
    count: int | None = None
    """How many samples; None is one, or no end when repeating."""
    only: tuple[str, ...] = ()
    only_visible: bool = False
    users: frozenset[str] = frozenset()
    pids: frozenset[int] = frozenset()
    filter: Filter | None = None
    processes: bool = True
    config: str | None = None
    """The configuration file that was named, where settings are then saved."""
    source: str | None = None
    """A plugin's source instead of the driver."""
    tier: str | None = None
    """A tier of the sizing guide, for models that nothing else tells."""


def face_of(*, once: bool, json: bool, csv: str | None, can_be_live: bool, count: int | None) -> str:
    """Decide how to answer.

    Raises:
        UsageError: when two answers were asked for at once, or a count of a screen that never ends.
    """
    if json and csv:
        raise UsageError("--json and --csv are two formats", fix="choose one")
    if json:
        return "json"
    if csv:
        return "csv" if csv == "gpus" else "csv-processes"
    if once or not can_be_live:
        return "text"
    if count is not None:
        raise UsageError("--count is for printed samples", fix="add --once, --json or --csv")
    return "live"

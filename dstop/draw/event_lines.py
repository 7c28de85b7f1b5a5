"""The event log: what happened, newest first."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dstop.draw.line import clean, fit_line
from dstop.model.event import EventKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line
    from dstop.model.event import Event

_ROLES = {
    EventKind.GPU_LOST: "bad",
    EventKind.XID: "bad",
    EventKind.ECC: "bad",
    EventKind.DRIVER_GONE: "bad",
    EventKind.OUT_OF_MEMORY: "bad",
    EventKind.BLACK_BOX: "bad",
    EventKind.GPU_STALE: "warn",
    EventKind.ROW_REMAP: "warn",
    EventKind.THROTTLE_STARTED: "warn",
    EventKind.CACHE_FLUSHED: "warn",
    EventKind.HOOKS_FAILED: "warn",
    EventKind.FINDING_STARTED: "warn",
    EventKind.RULE_FAILED: "warn",
    EventKind.ALERT_STARTED: "warn",
    EventKind.ALERT_FAILED: "warn",
    EventKind.GPU_BACK: "ok",
    EventKind.DRIVER_BACK: "ok",
    EventKind.THROTTLE_ENDED: "dim",
    EventKind.PROCESS_ENDED: "dim",
    EventKind.FINDING_ENDED: "dim",
    EventKind.ALERT_ENDED: "dim",
    EventKind.HOOK_CAME: "dim",
    EventKind.HOOK_LEFT: "dim",
}


def newest_grave(before: Sequence[Event], after: Sequence[Event]) -> Event | None:
    """Give the newest of the new events that somebody should hear of at once."""
    last_ns = before[-1].at_ns if before else 0
    new = [event for event in after if event.at_ns > last_ns and _ROLES.get(event.kind) == "bad"]
    return new[-1] if new else None


def event_lines(events: Sequence[Event], width: int) -> list[Line]:
    """One line an event: when, which card, what."""
    if not events:
        return [fit_line(((" nothing has happened since dstop started", "dim"),), width)]
    return [event_line(event, width) for event in reversed(events)]


def event_line(event: Event, width: int) -> Line:
    """Draw one event."""
    when = time.strftime(" %H:%M:%S ", time.localtime(event.at_ns / 1e9))
    where = "      " if event.gpu_index is None else f"GPU {event.gpu_index:<2}"
    return fit_line(
        ((when, "label"), (where + " ", "title"), (clean(event.text), _ROLES.get(event.kind, ""))), width
    )

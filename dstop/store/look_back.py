"""One question to the recording: all that a screen shows of one card between two times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value
from dstop.store.reader import Reader

if TYPE_CHECKING:
    from dstop.model.event import Event
    from dstop.model.past import Past, PastProcess


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class LookBack(Value):
    """What was recorded of one card."""

    since_s: int
    until_s: int
    past: Past
    processes: tuple[PastProcess, ...] = ()
    events: tuple[Event, ...] = ()
    """Of this card, and of no card."""
    span: tuple[int, int] | None = None
    """From when to when there is anything in the recording."""


def look_back(path: str, uuid: str, index: int, since_s: int, until_s: int) -> LookBack:
    """Read it.

    Args:
        path: of the recording.
        uuid: of the card, as `dstop.store.gather.gpu_name` gives it.
        index: of the card in events.
        since_s: seconds since the epoch.
        until_s: likewise; both ends are in it.

    Raises:
        StoreError: there is no recording, or it cannot be read.
    """
    with Reader(path) as reader:
        events = reader.events(since_s, until_s)
        return LookBack(
            since_s=since_s,
            until_s=until_s,
            past=reader.card(uuid, since_s, until_s),
            processes=reader.processes(uuid, since_s, until_s),
            events=tuple(event for event in events if event.gpu_index in {None, index}),
            span=reader.span(),
        )

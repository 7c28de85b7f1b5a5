"""When a GPU began and ceased to be held back, and for how long.

A card at its power limit touches it many times a second. Only a pause of `CALM_S` ends an episode;
without that rule a training run would fill the log with one line a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.event import Event, EventKind
from dstop.model.gpu import QUIET_REASONS
from dstop.monitor.health import is_stale
from dstop.units import duration_text

if TYPE_CHECKING:
    from dstop.model.sample import Sample

CALM_S = 15.0
"""Three readings of the slow fields, which come every five seconds."""

_WORDS = {
    "power_cap": "the power limit",
    "hw_slowdown": "the hardware (slowdown)",
    "sw_thermal": "heat (driver)",
    "hw_thermal": "heat (hardware)",
    "hw_power_brake": "the server's power brake",
}


@dataclass(slots=True)
class _Episode:
    """One reason on one GPU, from its first sighting to its last."""

    first_ns: int
    last_ns: int
    seen_to_start: bool


class ThrottleLog:
    """Remembers what holds each GPU back. Bounded: one entry per GPU and known reason."""

    def __init__(self) -> None:
        self._episodes: dict[tuple[int, str], _Episode] = {}
        self._first = True

    def observe(self, sample: Sample) -> list[Event]:
        """Give the episodes that began or ended with this sample; those of the very first began earlier."""
        now = sample.taken_at_ns
        events: list[Event] = []
        unsure: set[int] = set()
        for gpu in sample.gpus:
            if gpu.fault is not None or gpu.throttle_reasons is None or is_stale(gpu):
                unsure.add(gpu.index)
                continue
            for reason in gpu.throttle_reasons:
                if reason not in QUIET_REASONS:
                    events += self._seen(gpu.index, reason, now)
        events += self._ended(now, {gpu.index for gpu in sample.gpus} - unsure)
        present = {gpu.index for gpu in sample.gpus}
        self._episodes = {key: value for key, value in self._episodes.items() if key[0] in present}
        self._first = False
        return events

    def _seen(self, gpu_index: int, reason: str, now: int) -> list[Event]:
        episode = self._episodes.get((gpu_index, reason))
        if episode is not None:
            episode.last_ns = now
            return []
        self._episodes[gpu_index, reason] = _Episode(now, now, not self._first)
        if self._first:
            return []
        text = f"GPU {gpu_index} is held back by {_words(reason)}"
        return [Event(at_ns=now, kind=EventKind.THROTTLE_STARTED, text=text, gpu_index=gpu_index)]

    def _ended(self, now: int, sure: set[int]) -> list[Event]:
        over = [
            (key, episode)
            for key, episode in self._episodes.items()
            if key[0] in sure and now - episode.last_ns >= CALM_S * 1e9
        ]
        events = []
        for (gpu_index, reason), episode in over:
            del self._episodes[gpu_index, reason]
            lasted = duration_text((episode.last_ns - episode.first_ns) / 1e9)
            how_long = f"for {lasted}" if episode.seen_to_start else f"for {lasted} or more"
            text = f"GPU {gpu_index} is no longer held back by {_words(reason)} (it was {how_long})"
            events.append(Event(at_ns=now, kind=EventKind.THROTTLE_ENDED, text=text, gpu_index=gpu_index))
        return events


def _words(reason: str) -> str:
    return _WORDS.get(reason, reason[:40])

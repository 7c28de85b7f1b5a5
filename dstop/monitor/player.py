"""A monitor that is taken through a recording by a clock: plays, stands, jumps, faster or slower.

Every moment in between is stepped through, however fast it plays, so that events and findings are those of the time
and not of the speed.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from enum import Enum, auto
from typing import TYPE_CHECKING

from dstop.errors import RecordingError
from dstop.model.replay import Replay
from dstop.monitor.loop import MOST_EVENTS, Monitor
from dstop.sources.replay.moment import OF_WEIGHT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from collections.abc import Set as AbstractSet

    from dstop.model.frame import Frame
    from dstop.model.process import ProcessKey
    from dstop.monitor.findings import More
    from dstop.sources import Source
    from dstop.sources.guests import Guests
    from dstop.sources.replay.source import ReplaySource

SPEEDS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""What the keys go through."""
MOST_STEPS = 60
"""Moments gone through for one frame: a speed beyond what can be worked out is then as fast as it can be."""
WARM_STEPS = 120
"""Moments before a place that is jumped to, so that graphs are not empty and rules know what has lasted."""
LONGEST_GAP_S = 10.0
"""A hole in the recording is waited for no longer than this."""


class _Wish(Enum):
    PLACE = auto()
    WEIGHT = auto()


class Player:
    """Steps a Monitor through a recording. One thread steps; all else may be called from any other.

    Args:
        replay: the recording.
        speed: seconds of it per second.
        at_ns: where to begin; the beginning unless given.
        refresh_s: seconds between two frames, for those who ask for one after the other.
        source: what the Monitor reads: the replay, or something round it.
        guests: its hooks.
        more_rules: gives the live rules of plugins.
        capacity: how many steps are remembered.
        clock: seconds that pass here.
    """

    def __init__(
        self,
        replay: ReplaySource,
        *,
        speed: float = 1.0,
        at_ns: int | None = None,
        refresh_s: float = 1.0,
        source: Source | None = None,
        guests: Guests | None = None,
        more_rules: More | None = None,
        capacity: int = 300,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.interval_s = refresh_s
        self._replay = replay
        self._recording = replay.recording
        self._clock = clock
        self._lock = threading.Lock()
        self._speed = speed
        self._place_ns = at_ns if at_ns is not None else self._recording.begin_ns
        self._wish: tuple[_Wish, int] | None = (_Wish.PLACE, self._place_ns)
        """Where to jump at the next step."""
        self._notice = self._recording.notice
        self._last_s: float | None = None
        self._frame: Frame | None = None
        self._is_there = False
        """Whether the frame is of the moment that was read last."""
        self._watches_anew = False
        self._monitor = Monitor(
            replay if source is None else source,
            interval_s=1.0,
            capacity=capacity,
            now_ns=replay.now_ns,
            guests=guests,
            more_rules=more_rules,
        )

    # ---- as a Monitor ------------------------------------------------------------------------------------------

    def step(self, *, patience_s: float = 0.5) -> Frame:
        """Go as far as the time since the last step takes us, and give the frame of that place.

        Raises:
            RecordingError: nothing after this place can be read.
        """
        del patience_s
        now_s = self._clock()
        # Who stood still (paused, in the background) goes on where that was.
        passed_s = 0.0 if self._last_s is None else min(now_s - self._last_s, 2 * self.interval_s)
        self._last_s = now_s
        with self._lock:
            wish, self._wish = self._wish, None
            speed = self._speed
        if wish is not None:
            self._grant(*wish)
        else:
            self._advance(self._place_ns + round(passed_s * speed * 1e9))
        return self._shown()

    def step_one(self) -> Frame | None:
        """Go to the next moment, whatever the time; None when there is none.

        Raises:
            RecordingError: nothing after this place can be read.
        """
        with self._lock:
            wish, self._wish = self._wish, None
        if wish is not None:
            self._grant(*wish)
        elif not self._replay.ended:
            self._one()
            self._place_ns = self._replay.now_ns()
        else:
            return None
        return self._shown()

    def watch(self, fields: AbstractSet[str]) -> None:
        """Do nothing: what was not recorded cannot be had."""

    def watch_process(self, keys: Iterable[ProcessKey]) -> None:
        """Carry the histories of these processes in the Frames to come."""
        self._monitor.watch_process(keys)
        self._watches_anew = True

    def close(self) -> None:
        """Let go of the file; safe to call twice."""
        self._monitor.close()

    # ---- as a player -------------------------------------------------------------------------------------------

    @property
    def speed(self) -> float:
        """Seconds of the recording per second."""
        return self._speed

    def faster(self, steps: int) -> float:
        """Go to the next speed of `SPEEDS`, or to the one before; gives it."""
        with self._lock:
            if steps > 0:
                self._speed = next(
                    (each for each in SPEEDS if each > self._speed), max(self._speed, SPEEDS[-1])
                )
            else:
                slower = [each for each in SPEEDS if each < self._speed]
                self._speed = slower[-1] if slower else min(self._speed, SPEEDS[0])
            return self._speed

    def seek_by(self, seconds: float) -> None:
        """Jump so many seconds, at the next step."""
        with self._lock:
            wish = self._wish
            here = wish[1] if wish is not None and wish[0] is _Wish.PLACE else self._place_ns
            self._wish = _Wish.PLACE, self._bounded(here + round(seconds * 1e9))

    def seek_end(self, *, last: bool) -> None:
        """Jump to the first moment, or to the last one, at the next step."""
        with self._lock:
            self._wish = _Wish.PLACE, self._recording.end_ns if last else self._recording.begin_ns

    def seek_weight(self, *, forward: bool) -> None:
        """Jump, at the next step, to where something of weight happened next, or last."""
        with self._lock:
            self._wish = _Wish.WEIGHT, 1 if forward else -1

    # ---- within the thread that steps ---------------------------------------------------------------------------

    def _bounded(self, at_ns: int) -> int:
        return max(self._recording.begin_ns, min(self._recording.end_ns, at_ns))

    def _grant(self, wish: _Wish, value: int) -> None:
        self._notice = self._recording.notice
        if wish is _Wish.PLACE:
            self._jump(self._recording.number_at(self._bounded(value)))
            # Where a damaged block was gone round, it is later than was asked.
            self._place_ns = max(self._bounded(value), self._replay.now_ns())
            return
        try:
            number = self._recording.of_weight(max(0, self._replay.number), forward=value > 0)
        except RecordingError as error:
            self._notice = error.message
            return
        if number is None:
            self._notice = f"nothing of weight is recorded {'after' if value > 0 else 'before'} this"
            return
        self._notice = next(
            (each.text for each in self._recording.moment(number).events if each.kind in OF_WEIGHT), None
        )
        self._jump(number)
        self._place_ns = self._replay.now_ns()

    def _jump(self, number: int) -> None:
        """Go to a moment: by playing what lies between when that is little, else from a while before it."""
        here = self._replay.number
        if not (self._is_there and here <= number <= here + WARM_STEPS):
            self._begin(max(0, number - WARM_STEPS))
        while not (self._is_there and self._replay.number >= min(number, len(self._recording) - 1)):
            self._one()

    def _begin(self, number: int) -> None:
        """Have the next step be this moment, without anything before it."""
        self._monitor.forget(self._recording.events_until(number, MOST_EVENTS), knows_next=True)
        self._replay.go_to(number)
        self._is_there = False

    def _advance(self, target_ns: int) -> None:
        """Go through the moments up to a place, but not through more than can be worked out meanwhile."""
        for _ in range(MOST_STEPS):
            if self._replay.ended:
                target_ns = self._replay.now_ns()
                break
            if self._due_ns() > target_ns:
                break
            self._one()
            target_ns = max(target_ns, self._replay.now_ns())  # behind a hole, time goes on from there
        else:
            target_ns = self._replay.now_ns()
        self._place_ns = target_ns

    def _due_ns(self) -> int:
        """Give the place at which the next moment is to be shown."""
        try:
            next_ns = self._recording.place_of(self._replay.number + 1)
        except RecordingError:
            return self._place_ns  # damaged: now, to go round it
        return min(next_ns, self._replay.now_ns() + round(LONGEST_GAP_S * 1e9))

    def _one(self) -> None:
        """Step to the next moment, or go round what is damaged: the next step is then what follows it."""
        number = self._replay.number + 1
        try:
            begins = self._recording.moment(number).begins
            self._monitor.interval_s = self._recording.step_s(number)
            if begins and self._is_there and self._frame is not None:
                self._monitor.forget(self._frame.events)
            self._frame = self._monitor.step()
            self._is_there = True
        except RecordingError as error:
            self._notice = error.message
            after = self._recording.after_block(number)
            if after is not None:
                self._begin(after)
                return
            if not self._recording.cut_before(number):
                raise
            if not self._is_there:
                self._begin(len(self._recording) - 1)

    def _shown(self) -> Frame:
        if self._watches_anew:
            self._watches_anew = False
            self._frame = self._monitor.again() or self._frame
        if self._frame is None:  # pragma: no cover - a jump comes first, and gives one or raises
            raise RecordingError("the recording holds nothing")
        place = Replay(
            at_ns=self._place_ns,
            begin_ns=self._recording.begin_ns,
            end_ns=self._recording.end_ns,
            speed=self._speed,
            ended=self._replay.ended,
            notice=self._notice,
        )
        return replace(self._frame, replay=place, cost=self._monitor.own_cost())

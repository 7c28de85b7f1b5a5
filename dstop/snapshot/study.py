"""One device of a snapshot, studied: each question is computed when it is first asked, and answered in plain values."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from dstop.model.study import CATEGORIES, CONFIDENCES, PHASES, Curve, Failure, Growth, Moment, Share, SiteUse
from dstop.snapshot.attribution import Attribution, attribute
from dstop.snapshot.fragments import fragmentation_of
from dstop.snapshot.growth import growth_of
from dstop.snapshot.ledger import Account, accounts_of
from dstop.snapshot.lives import BEFORE, Lives, lives_of
from dstop.snapshot.own import own_place
from dstop.snapshot.replay.baseline import Replayed, replay
from dstop.snapshot.same_site import site_keys
from dstop.snapshot.timeline import alive_at, live_bytes, peak_event, reserved_bytes
from dstop.snapshot.values import NO_STACK, Action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dstop.model.study import Fragmentation
    from dstop.snapshot.values import Snapshot

_LIKELY, _EXACT = CONFIDENCES.index("likely"), CONFIDENCES.index("exact")


class DeviceStudy:
    """Lives, curves, moments and sites of one device. Positions count events: 0 is before the first one."""

    def __init__(self, snapshot: Snapshot, device: int) -> None:
        self.snapshot, self.device = snapshot, device

    @cached_property
    def lives(self) -> Lives:
        """What was allocated when."""
        return lives_of(self.snapshot, self.device)

    @cached_property
    def attribution(self) -> Attribution:
        """What each life is for."""
        return attribute(self.snapshot, self.lives)

    @cached_property
    def growth(self) -> tuple[Growth, ...]:
        """What holds more from step to step, the fastest first."""
        return growth_of(self)

    @cached_property
    def fragmentation(self) -> Fragmentation:
        """What the free memory is good for at the end; its largest hole is for the last request that failed."""
        return fragmentation_of(self, self.failures[-1] if self.failures else None)

    @cached_property
    def replayed(self) -> Replayed:
        """The recording replayed by a model of the allocator, and how well that gives what was recorded."""
        return replay(self)

    @cached_property
    def live(self) -> NDArray[np.int64]:
        """Live bytes at each position."""
        return live_bytes(self.lives)

    @cached_property
    def reserved(self) -> NDArray[np.int64]:
        """Reserved bytes at each position."""
        return reserved_bytes(self.snapshot, self.device)

    @cached_property
    def _accounts(self) -> tuple[Account, ...]:
        return accounts_of(self.lives, self.attribution.category, len(CATEGORIES))

    @property
    def events(self) -> int:
        """How many events the ring has."""
        return self.lives.events

    @cached_property
    def peak(self) -> int:
        """The position where most is live."""
        return peak_event(self.live)

    @cached_property
    def failures(self) -> tuple[Failure, ...]:
        """The out-of-memory errors of the ring, oldest first."""
        trace = self.snapshot.trace_of(self.device)
        if trace is None:
            return ()
        made = []
        for at in np.flatnonzero(trace.action == Action.OOM).tolist():
            places = self.snapshot.stacks[int(trace.stack[at])]
            made.append(
                Failure(
                    event=at,
                    time_us=self.time_us(at + 1),
                    request_bytes=int(trace.size[at]),
                    device_free_bytes=int(trace.address[at]),
                    live_bytes=int(self.live[at]),
                    reserved_bytes=int(self.reserved[at]),
                    stream=int(trace.stream[at]),
                    places=places,
                    own=own_place(places),
                )
            )
        return tuple(made)

    def time_us(self, position: int) -> int | None:
        """Give the wall clock at a position; None where torch does not say."""
        trace = self.snapshot.trace_of(self.device)
        if trace is None or not len(trace):
            return None
        return int(trace.time_us[max(0, min(position, len(trace)) - 1)]) or None

    def moment(self, position: int, sites: int = 20) -> Moment:
        """Say what is live at a position.

        Args:
            position: how many events had happened, 0 to `events`; others are taken for the nearest.
            sites: how many at most.
        """
        position = max(0, min(position, self.events))
        rows = alive_at(self.lives, position)
        size = self.lives.size[rows]
        later = [at for at in self.attribution.steps if at > position]
        return Moment(
            event=position,
            time_us=self.time_us(position),
            live_bytes=int(self.live[position]),
            reserved_bytes=int(self.reserved[position]),
            static_bytes=int(size[self.lives.begin[rows] == BEFORE].sum()),
            phase=self._phase(position),
            step=len(self.attribution.steps) - len(later) if self.attribution.steps else None,
            shares=self._shares(rows),
            sites=self.sites(rows, sites),
        )

    def curve(self, pieces: int, first: int = 0, last: int | None = None) -> Curve:
        """Cut the ring into pieces of equally many events, and give the highest moment of each."""
        last = self.events if last is None else max(0, min(last, self.events))
        first = max(0, min(first, last))
        pieces = max(1, min(pieces, last - first + 1))
        edges = first + (last + 1 - first) * np.arange(pieces + 1, dtype=np.int64) // pieces
        at = [int(begin) + int(np.argmax(self.live[begin:end])) for begin, end in pairwise(edges)]
        return Curve(
            first=first,
            last=last,
            events=tuple(at),
            time_us=tuple(self.time_us(position) or 0 for position in at),
            live_bytes=tuple(self.live[at].tolist()),
            reserved_bytes=tuple(self.reserved[at].tolist()),
            shares=self._shares_over(np.array(at, np.int64)),
        )

    def sites(self, rows: NDArray[np.int64], most: int) -> tuple[SiteUse, ...]:
        """Add up lives by their stack (those without one by their category), and give the largest."""
        if not len(rows):
            return ()
        keys = site_keys(self.lives.stack[rows], self.attribution.category[rows])
        stacks, place = np.unique(keys, return_inverse=True)
        sums = np.bincount(place, weights=self.lives.size[rows]).astype(np.int64)
        order = np.argsort(-sums, kind="stable")[: max(0, most)]
        together = np.split(rows[np.argsort(place, kind="stable")], np.cumsum(np.bincount(place))[:-1])
        return tuple(
            self._site(max(NO_STACK, int(stacks[index])), together[index]) for index in order.tolist()
        )

    def _site(self, stack: int, rows: NDArray[np.int64]) -> SiteUse:
        size, category = self.lives.size[rows], self.attribution.category[rows]
        most = int(np.argmax(np.bincount(category, weights=size)))
        places = self.snapshot.stacks[stack]
        names = self.attribution.names
        named = (
            [row for row in rows[np.argsort(-size, kind="stable")].tolist() if row in names] if names else []
        )
        return SiteUse(
            size_bytes=int(size.sum()),
            blocks=len(rows),
            category=CATEGORIES[most],
            confidence=CONFIDENCES[int(self.attribution.confidence[rows][category == most].min())],
            places=places,
            own=own_place(places),
            name=self.attribution.names[named[0]] if named else "",
        )

    def _shares(self, rows: NDArray[np.int64]) -> tuple[Share, ...]:
        size = self.lives.size[rows]
        category, confidence = self.attribution.category[rows], self.attribution.confidence[rows]
        made = []
        for number, name in enumerate(CATEGORIES):
            mine = category == number
            if mine.any():
                made.append(
                    Share(
                        category=name,
                        size_bytes=int(size[mine].sum()),
                        blocks=int(mine.sum()),
                        exact_bytes=int(size[mine & (confidence == _EXACT)].sum()),
                        likely_bytes=int(size[mine & (confidence == _LIKELY)].sum()),
                    )
                )
        return tuple(made)

    def _shares_over(self, positions: NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
        """Give the bytes of each category at positions."""
        return tuple(tuple(account.at(positions).tolist()) for account in self._accounts)

    def _phase(self, position: int) -> str:
        """Give the phase of the last life that began before a position."""
        row = int(np.searchsorted(self.lives.begin, position)) - 1
        return (
            PHASES[int(self.attribution.phase[row])]
            if row >= 0 and self.lives.begin[row] != BEFORE
            else "other"
        )


def studies_of(snapshot: Snapshot) -> Sequence[DeviceStudy]:
    """Give one study for each device that has segments or events."""
    return tuple(DeviceStudy(snapshot, device) for device in snapshot.devices)

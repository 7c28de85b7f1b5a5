"""What an alert has seen, told and not told yet: one step a reading, no clock and no network of its own."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.alerts.condition import Condition, Key, Seen, Subject

MOST_STANDING = 256
"""Things of one alert at a time: thirty-two cards with eight processes each."""
MOST_REMEMBERED = 1024
"""Keys of what was told: a job that is started again each second must not fill the memory."""
QUIET_S = 30.0
"""How long it must have been otherwise before an alert is over: a figure at its bound goes to and fro."""
GAP_S = 30.0
"""A time without readings that is longer is not part of "for 60s": nobody saw it."""
MOST_TOLD = 10
"""Messages of one alert that begin or remind, within its `every`: what comes above that waits and comes together."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Told(Value):
    """One thing in a message, and since when it has been so, in seconds of the ledger's clock."""

    subject: Subject
    since_s: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Changes(Value):
    """What is to be told after a reading."""

    began: tuple[Told, ...] = ()
    lasting: tuple[Told, ...] = ()
    ended: tuple[Told, ...] = ()


class _Standing:
    """One thing, from its first sighting to its end."""

    __slots__ = ("firing", "first_s", "last_s", "subject", "told_s")

    def __init__(self, subject: Subject, now_s: float) -> None:
        self.subject = subject
        self.first_s = self.last_s = now_s
        self.firing = False
        self.told_s: float | None = None
        """When this was last told; None while it was not."""


class Ledger:
    """Keeps the book of one alert.

    Args:
        condition: what is looked at; its `for_s` is how long it must hold.
        every_s: how often the same thing is told.
    """

    def __init__(self, condition: Condition, every_s: float) -> None:
        self._for_s, self._every_s = condition.for_s, every_s
        self._standing: dict[Key, _Standing] = {}
        self._told: OrderedDict[Key, float] = OrderedDict()
        self._messages: deque[float] = deque(maxlen=MOST_TOLD)
        self.left_out = 0
        """How many things of the newest reading there was no room for."""

    def step(self, seen: Sequence[Seen], now_s: float) -> Changes:
        """Take one reading at a time of a clock that never goes back, and give what is to be told of it."""
        unknown = {each.key for each in seen if each.holds is None}
        self.left_out = 0
        for each in seen:
            if each.holds and each.subject is not None:
                self._see(each.key, each.subject, now_s)
        ended = self._close(unknown, now_s)
        began, lasting = self._due(now_s)
        return Changes(began=began, lasting=lasting, ended=ended)

    @property
    def firing(self) -> int:
        """How many things stand now."""
        return sum(each.firing for each in self._standing.values())

    def _see(self, key: Key, subject: Subject, now_s: float) -> None:
        each = self._standing.get(key)
        if each is None:
            if len(self._standing) >= MOST_STANDING:
                self.left_out += 1
                return
            each = self._standing[key] = _Standing(subject, now_s)
        elif not each.firing and now_s - each.last_s > GAP_S:
            each.first_s = now_s
        each.subject, each.last_s = subject, now_s
        each.firing = each.firing or now_s - each.first_s >= self._for_s

    def _close(self, unknown: set[Key], now_s: float) -> tuple[Told, ...]:
        """Drop what is not so any more; give what of it had been told."""
        ended = []
        for key, each in list(self._standing.items()):
            if each.last_s == now_s:
                continue
            if key in unknown and each.firing:
                each.last_s = now_s
                continue
            if each.firing and now_s - each.last_s < QUIET_S:
                continue
            del self._standing[key]
            if each.told_s is not None:
                ended.append(Told(subject=each.subject, since_s=each.first_s))
        return tuple(ended)

    def _due(self, now_s: float) -> tuple[tuple[Told, ...], tuple[Told, ...]]:
        """Give what begins and what is to be told again, unless too many messages went out lately."""
        if len(self._messages) == MOST_TOLD and now_s - self._messages[0] < self._every_s:
            return (), ()
        began: list[Told] = []
        lasting: list[Told] = []
        for key, each in self._standing.items():
            last_s = self._told.get(key)
            if not each.firing or (last_s is not None and now_s - last_s < self._every_s):
                continue
            (lasting if each.told_s is not None else began).append(
                Told(subject=each.subject, since_s=each.first_s)
            )
            each.told_s = now_s
            self._remember(key, now_s)
        if began or lasting:
            self._messages.append(now_s)
        return tuple(began), tuple(lasting)

    def _remember(self, key: Key, now_s: float) -> None:
        self._told[key] = now_s
        self._told.move_to_end(key)
        while self._told and (
            len(self._told) > MOST_REMEMBERED or now_s - next(iter(self._told.values())) >= self._every_s
        ):
            self._told.popitem(last=False)

"""The live rules over a running machine: asked in turn, and told when what they say has lasted.

A finding that comes and goes with every batch would only flicker, so each rule says how long it must have been there,
and how long it stays after it was last seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from dstop.doctor.live import WATCHES, load
from dstop.model.event import Event, EventKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dstop.doctor.live import Look, Watch
    from dstop.doctor.live.scene import Scene
    from dstop.model.finding import Finding

MOST_FINDINGS = 64
"""Of one rule: who has more broken cards than this knows."""
_WORST_FIRST = {"critical": 0, "warning": 1, "note": 2}
_WORDS_CELLS = 120


More: TypeAlias = "Callable[[], Sequence[tuple[Watch, Look]] | None]"
"""Gives the rules of plugins; None as long as nobody has looked for them."""

_Key: TypeAlias = "tuple[int | None, int | None, float | None]"
"""Which card, which process, and which process of that number."""


def of_plugins(defer: int = 0) -> More:
    """Give what gives the live rules of the installed plugins, not before so many moments have passed.

    Args:
        defer: moments that wait for no plugin: the first frame of a screen.
    """
    waits = [defer]

    def more() -> Sequence[tuple[Watch, Look]] | None:
        if waits[0] > 0:
            waits[0] -= 1
            return None
        from dstop.plugin import installed  # noqa: PLC0415 - not before the first frame

        if installed() is None:
            return ()
        from dstop.doctor.plugged import plugged  # noqa: PLC0415 - where there are plugins

        return plugged().watches

    return more


class _Standing:
    """One finding, from its first sighting to its last."""

    __slots__ = ("finding", "first_ns", "last_ns", "told")

    def __init__(self, finding: Finding, now: int) -> None:
        self.finding = finding
        self.first_ns = self.last_ns = now
        self.told = False


class _Asked:
    """One rule, and what it has said."""

    __slots__ = ("due_ns", "failed", "look", "standing", "watch")

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.look: Look | None = None
        self.due_ns = 0
        self.standing: dict[_Key, _Standing] = {}
        self.failed = False

    def hear(self, found: Sequence[Finding], now: int) -> None:
        """Take what the rule says now; what it does not say any more stays for a while, if it was told."""
        for finding in found[:MOST_FINDINGS]:
            key = (finding.gpu_index, finding.pid, finding.started_at_s)
            old = self.standing.get(key)
            if old is None:
                self.standing[key] = _Standing(finding, now)
            else:
                old.finding, old.last_ns = finding, now
        for key, each in list(self.standing.items()):
            if each.last_ns != now and (not each.told or now - each.last_ns > self.watch.stays_s * 1e9):
                del self.standing[key]


class Examiner:
    """Asks the rules about one moment after the other. Bounded: so many findings a rule.

    Args:
        watches: of dstop's own rules.
        load_rule: gives the function of one.
        more: gives the rules of plugins.
    """

    def __init__(
        self,
        watches: Sequence[Watch] = WATCHES,
        load_rule: Callable[[Watch], Look] = load,
        more: More | None = None,
    ) -> None:
        self._asked = [_Asked(watch) for watch in watches]
        self._more = more
        self._load = load_rule
        self._told: dict[tuple[str, _Key], Finding] = {}
        self._first = True

    def examine(self, scene: Scene) -> tuple[tuple[Finding, ...], list[Event]]:
        """Give what stands now, the worst first, and the events of what began, ended or failed with this moment."""
        now = scene.sample.taken_at_ns
        events: list[Event] = []
        failed: set[str] = set()
        self._take_more()
        for place, asked in enumerate(self._asked):
            if self._first and asked.watch.after_s > 0:
                asked.due_ns = now + (place % 5) * 1_000_000_000  # in turn, not all in one step
                continue
            if now >= asked.due_ns or asked.due_ns - now > 2e9 * max(1.0, asked.watch.every_s):
                event = self._ask(asked, scene, now, failed)
                events += [] if event is None else [event]
        self._forget_the_dead(scene)
        standing = self._standing(now, failed)
        events += self._compared(standing, now)
        self._told = standing
        self._first = False
        ordered = sorted(standing.values(), key=_order)
        return tuple(ordered), events

    def _take_more(self) -> None:
        """Add the rules of plugins, once they are there."""
        given = None if self._more is None else self._more()
        if given is None:
            return
        self._more = None
        for watch, look in given:
            self._asked.append(_Asked(watch))
            self._asked[-1].look = look

    def _ask(self, asked: _Asked, scene: Scene, now: int, failed: set[str]) -> Event | None:
        """Ask one rule; one that raises is left out for this moment, and named once."""
        asked.due_ns = now + int(asked.watch.every_s * 1e9)
        try:
            if asked.look is None:
                asked.look = self._load(asked.watch)
            found = asked.look(scene)
        except Exception as error:  # noqa: BLE001 - a rule must never end the monitor
            failed.add(asked.watch.rule)
            if asked.failed:
                return None
            asked.failed = True
            words = "".join(char if char.isprintable() else " " for char in repr(error)[:_WORDS_CELLS])
            text = f"rule {asked.watch.rule} is left out, it failed: {words}"
            return Event(at_ns=now, kind=EventKind.RULE_FAILED, text=text)
        asked.hear(found, now)
        return None

    def _forget_the_dead(self, scene: Scene) -> None:
        """Drop what is said of processes that are not there any more."""
        with_pid = [asked for asked in self._asked if any(key[1] is not None for key in asked.standing)]
        if not with_pid:
            return
        alive = {row.id for row in scene.sample.processes}
        for asked in with_pid:
            for key in [key for key in asked.standing if key[1] is not None and key[1:] not in alive]:
                del asked.standing[key]

    def _standing(self, now: int, failed: set[str]) -> dict[tuple[str, _Key], Finding]:
        found: dict[tuple[str, _Key], Finding] = {}
        for asked in self._asked:
            if asked.watch.rule in failed:
                continue
            for key, each in asked.standing.items():
                each.told = each.told or now - each.first_ns >= asked.watch.after_s * 1e9
                if each.told:
                    found[asked.watch.rule, key] = each.finding
        return found

    def _compared(self, standing: Mapping[tuple[str, _Key], Finding], now: int) -> list[Event]:
        """Tell what began and what ended, but for what other events tell; what there was at first began earlier."""
        if self._first:
            return []
        quiet = {asked.watch.rule for asked in self._asked if not asked.watch.logged}
        began = [
            _event(now, EventKind.FINDING_STARTED, finding, finding.says)
            for key, finding in standing.items()
            if key not in self._told and key[0] not in quiet
        ]
        ended = [
            _event(now, EventKind.FINDING_ENDED, finding, f"no more: {finding.says}")
            for key, finding in self._told.items()
            if key not in standing and key[0] not in quiet
        ]
        return [*ended, *began]


def _order(finding: Finding) -> tuple[int, int, str]:
    index = -1 if finding.gpu_index is None else finding.gpu_index
    return _WORST_FIRST[finding.severity], index, finding.rule


def _event(now: int, kind: EventKind, finding: Finding, text: str) -> Event:
    return Event(at_ns=now, kind=kind, text=text, gpu_index=finding.gpu_index, pid=finding.pid)

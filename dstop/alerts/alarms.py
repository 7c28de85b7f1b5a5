"""All alerts of a run: the monitor shows them each reading, and takes away events."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from dstop.alerts.condition import Subject, parse_condition
from dstop.alerts.courier import WAITS_S, Courier
from dstop.alerts.ledger import Changes, Ledger, Told
from dstop.alerts.notice import Notice, plain
from dstop.model.event import Event, EventKind
from dstop.model.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dstop.alerts.condition import Condition
    from dstop.alerts.turn import Turn
    from dstop.model.finding import Finding
    from dstop.model.sample import Sample
    from dstop.settings.alerts import Actions, AlertRule

MOST_TROUBLES = 64


class _Alert:
    """One entry of the configuration, with its book and its couriers."""

    def __init__(self, rule: AlertRule, condition: Condition, couriers: Sequence[Courier]) -> None:
        self.rule, self.condition, self.couriers = rule, condition, tuple(couriers)
        self.ledger = Ledger(condition, rule.every_s)
        self.crowded = False


class Alarms:
    """Looks at readings, and has others told. Never waits, and never raises what a condition or a courier does.

    Args:
        rules: what the user wants to be told of.
        turn: says whether this process is the one that tells others; always, unless given.
        monotonic: a clock that does not jump.
        waits_s: between the tries of a delivery.

    Raises:
        SettingsError: a condition is none.
    """

    def __init__(
        self,
        rules: Iterable[AlertRule],
        *,
        turn: Turn | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        waits_s: tuple[float, ...] = WAITS_S,
    ) -> None:
        self.bells = 0
        """How often the terminal's bell was to be rung so far."""
        self._turn = turn
        self._ours = True
        self._monotonic = monotonic
        self._waits_s = waits_s
        self._troubles: deque[str] = deque(maxlen=MOST_TROUBLES)
        self._couriers: dict[object, Courier] = {}
        self._alerts = [
            _Alert(rule, parse_condition(rule.when), self._couriers_of(rule.do)) for rule in rules
        ]

    def see(self, sample: Sample, findings: Sequence[Finding]) -> list[Event]:
        """Take one reading; gives what began, ended, or could not be delivered."""
        now_s = self._monotonic()
        self._ours = self._turn is None or self._turn.is_ours(now_s)
        events = self.troubles(sample.taken_at_ns)
        for alert in self._alerts:
            changes = alert.ledger.step(alert.condition.look.seen(sample, findings), now_s)
            events += self._crowd(alert, sample.taken_at_ns)
            events += self._tell(alert, changes, sample, now_s)
        return events

    def troubles(self, at_ns: int) -> list[Event]:
        """Give what could not be delivered since this was last asked."""
        events = []
        while self._troubles:
            text = plain(self._troubles.popleft())
            events.append(Event(at_ns=at_ns, kind=EventKind.ALERT_FAILED, text=text))
        return events

    def attempt(self, host: str, at_ns: int) -> list[tuple[str, str | None]]:
        """Send everybody outside one message that says it is a trial; gives whom, and what went wrong."""
        subject = Subject(says="this is a trial: nothing is wrong", severity=Severity.NOTE)
        tried = []
        for alert in self._alerts:
            notice = Notice(
                status="firing",
                alert=alert.rule.title,
                when=alert.rule.when,
                host=host,
                at_ns=at_ns,
                now_s=0.0,
                told=(Told(subject=subject, since_s=0.0),),
                simulated="a trial",
            )
            tried += [(f"{alert.rule.title}: {each.name}", each.attempt(notice)) for each in alert.couriers]
        return tried

    def close(self, patience_s: float = 0.0) -> None:
        """Let what waits be delivered for so long, and begin nothing more; safe to call twice."""
        due_s = time.monotonic() + patience_s
        for courier in self._couriers.values():
            courier.wait(max(0.0, due_s - time.monotonic()))
            courier.stop()
        if self._turn is not None:
            self._turn.close()

    def _tell(self, alert: _Alert, changes: Changes, sample: Sample, now_s: float) -> list[Event]:
        events: list[Event] = []
        for status, told in (
            ("resolved", changes.ended),
            ("firing", changes.began),
            ("lasting", changes.lasting),
        ):
            if not told:
                continue
            notice = Notice(
                status=status,  # type: ignore[arg-type]  # one of the three above
                alert=alert.rule.title,
                when=alert.rule.when,
                host=sample.host.name,
                at_ns=sample.taken_at_ns,
                now_s=now_s,
                told=told,
                simulated=sample.simulated,
            )
            if status != "lasting":
                events.append(_event(notice, told))
            self._send(alert, notice)
        return events

    def _send(self, alert: _Alert, notice: Notice) -> None:
        """Have it told: the bell is for who looks at this very terminal, all else is told by one of us.

        Nobody outside is told of what no hardware is behind.
        """
        if alert.rule.do.bell and notice.status != "resolved":
            self.bells += 1
        if notice.simulated is None and self._ours:
            for courier in alert.couriers:
                courier.send(notice)

    def _crowd(self, alert: _Alert, at_ns: int) -> list[Event]:
        """Say once that there is no room for all that an alert is about."""
        crowded, was = alert.ledger.left_out > 0, alert.crowded
        alert.crowded = crowded
        if not crowded or was:
            return []
        text = f"alert {alert.rule.title}: {alert.ledger.left_out} more are so than it can keep"
        return [Event(at_ns=at_ns, kind=EventKind.ALERT_FAILED, text=plain(text))]

    def _couriers_of(self, do: Actions) -> list[Courier]:
        """Give those that carry out an action; alerts with the same address share one."""
        couriers = []
        if do.webhook is not None:
            from dstop.alerts.webhook import Webhook, name_of  # noqa: PLC0415 - TLS, for those who have one

            key: object = (do.webhook, do.secret_file)
            couriers.append(self._courier(key, name_of(do.webhook), Webhook(do.webhook, do.secret_file)))
        if do.command or do.desktop:
            from dstop.alerts.command import Command, show_on_desktop  # noqa: PLC0415 - as above

            if do.command:
                name = f"command {do.command[0]}"
                couriers.append(self._courier(do.command, name, Command(do.command)))
            if do.desktop:
                couriers.append(self._courier("desktop", "desktop", show_on_desktop))
        return couriers

    def _courier(self, key: object, name: str, deliver: Callable[[Notice], None]) -> Courier:
        found = self._couriers.get(key)
        if found is None:
            found = Courier(name, deliver, self._troubles.append, waits_s=self._waits_s)
            self._couriers[key] = found
        return found


def _event(notice: Notice, told: Sequence[Told]) -> Event:
    one = told[0].subject if len(told) == 1 else None
    ended = notice.status == "resolved"
    return Event(
        at_ns=notice.at_ns,
        kind=EventKind.ALERT_ENDED if ended else EventKind.ALERT_STARTED,
        text=f"alert {'is over, ' if ended else ''}{plain(notice.alert)}: {notice.text}",
        gpu_index=one.gpu_index if one is not None else None,
        pid=one.pid if one is not None else None,
    )

"""One message to the outside: its words for people, its JSON for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dstop.model.finding import Severity
from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.alerts.ledger import Told

MOST_LISTED = 32
"""Things in one message; the others are counted."""
_MOST_CHARS = 500
_SEVERITIES = tuple(Severity)
_WORDS = {"firing": "ALERT", "lasting": "STILL", "resolved": "OVER"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Notice(Value):
    """What began, lasts or ended of one alert with one reading."""

    status: Literal["firing", "lasting", "resolved"]
    alert: str
    """Its name."""
    when: str
    host: str
    at_ns: int
    now_s: float
    """The ledger's clock at `at_ns`."""
    told: tuple[Told, ...]
    simulated: str | None = None

    @property
    def severity(self) -> Severity:
        """The worst of what it is about."""
        return max(
            (each.subject.severity for each in self.told), key=_SEVERITIES.index, default=Severity.NOTE
        )

    @property
    def title(self) -> str:
        """Say which host and alert: `ALERT gpu-17: idle but full`."""
        return plain(f"{_WORDS[self.status]} {self.host}: {self.alert}")

    @property
    def text(self) -> str:
        """Say what it is about, in one line."""
        says = "; ".join(plain(each.subject.says) for each in self.told[:3])
        more = len(self.told) - 3
        return f"{says}; and {more} more" if more > 0 else says

    def as_json(self) -> bytes:
        """Give it for a webhook or a command.

        `{schema, source, status, severity, alert, when, host, at_ns, text, alerts: [{says, severity, rule, gpu_index,
        gpu_uuid, pid, user, command, since_ns}], more, simulated}`; what is not known is null.
        """
        body = {
            "schema": 1,
            "source": "dstop",
            "status": self.status,
            "severity": str(self.severity),
            "alert": plain(self.alert),
            "when": plain(self.when),
            "host": plain(self.host),
            "at_ns": self.at_ns,
            "text": f"{self.title}: {self.text}",
            "alerts": [self._entry(each) for each in self.told[:MOST_LISTED]],
            "more": max(0, len(self.told) - MOST_LISTED),
            "simulated": self.simulated,
        }
        return json.dumps(body).encode()

    def _entry(self, each: Told) -> dict[str, object]:
        subject = each.subject
        return {
            "says": plain(subject.says),
            "severity": str(subject.severity),
            "rule": subject.rule,
            "gpu_index": subject.gpu_index,
            "gpu_uuid": None if subject.gpu_uuid is None else plain(subject.gpu_uuid),
            "pid": subject.pid,
            "user": None if subject.user is None else plain(subject.user),
            "command": None if subject.command is None else plain(subject.command),
            "since_ns": self.at_ns - round((self.now_s - each.since_s) * 1e9),
        }


def plain(text: str) -> str:
    """Give a text of a machine without what could steer a terminal, and no longer than a line or two."""
    return "".join(char if char.isprintable() else "?" for char in text[:_MOST_CHARS])

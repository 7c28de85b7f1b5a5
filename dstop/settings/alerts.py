"""What the user wants to be told of, and how: `[[alerts]]` of the configuration file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_ALERTS = 32
LEAST_EVERY_S, MOST_EVERY_S = 10.0, 7 * 86400.0
USUAL_EVERY_S = 1800.0
"""How often an alert is told again while it lasts: half an hour is twice in a meal, and not a hundred times a night."""
_MOST_CHARS = 1000
_MOST_WORDS = 64
_NAMES = ("name", "when", "every", "do")
_DO = ("bell", "desktop", "webhook", "secret_file", "command")
_EXAMPLE = '{when = "gpu.memory_pct > 95 for 60s", do = {bell = true}}'
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+|\d+(?:\.\d+)?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Actions(Value):
    """What is done when an alert begins, lasts or ends."""

    bell: bool = False
    """Ring the terminal's bell."""
    desktop: bool = False
    """Show a desktop notification, by notify-send."""
    webhook: str | None = None
    """POST it as JSON to this address."""
    secret_file: str | None = None
    """A file whose first line the webhook gets as a bearer token (RFC 6750)."""
    command: tuple[str, ...] = ()
    """Run this, with the same JSON on its standard input; no shell reads it."""

    def as_table(self) -> dict[str, object]:
        """Give it as the configuration file has it."""
        return {name: value for name in _DO if (value := getattr(self, name))}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class AlertRule(Value):
    """One entry. What `when` may say is for `dstop.alerts.condition`, which knows the figures."""

    when: str
    do: Actions
    name: str | None = None
    """What to call it; `when` itself unless given."""
    every_s: float = USUAL_EVERY_S
    """How often it is told again while it lasts."""

    @property
    def title(self) -> str:
        """What it is called."""
        return self.name or self.when

    def as_table(self) -> dict[str, object]:
        """Give it as the configuration file has it."""
        table: dict[str, object] = {} if self.name is None else {"name": self.name}
        table["when"] = self.when
        if self.every_s != USUAL_EVERY_S:
            table["every"] = f"{self.every_s:g}s"
        return table | {"do": self.do.as_table()}


def parse_alerts(value: object) -> tuple[AlertRule, ...]:
    """Check the entries.

    Raises:
        ValueError: with words that say what an entry must be.
    """
    if not isinstance(value, list | tuple) or not all(isinstance(entry, dict | AlertRule) for entry in value):
        raise ValueError(f"must be tables such as {_EXAMPLE}")
    if len(value) > MOST_ALERTS:
        raise ValueError(f"must be {MOST_ALERTS} entries at most")
    return tuple(entry if isinstance(entry, AlertRule) else _rule(entry) for entry in value)


def parse_duration(text: object) -> float:
    """Read `90s`, `5m`, `1h30m` or a plain number of seconds.

    Raises:
        ValueError: when it is none.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        text = f"{text:f}"
    if not isinstance(text, str) or len(text) > 20 or not _DURATION.fullmatch(text.strip()):  # noqa: PLR2004 - no longer
        raise ValueError("must be a time such as 60s, 5m or 1h30m")
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    return float(sum(float(number) * _SECONDS.get(unit, 1) for number, unit in parts))


def _rule(entry: Mapping[str, object]) -> AlertRule:
    _only(entry, _NAMES, "")
    when, name = _text(entry, "when"), _text(entry, "name")
    if when is None:
        raise ValueError(f"needs `when`: {_EXAMPLE}")
    do = entry.get("do")
    if not isinstance(do, dict):
        raise ValueError(f"needs `do`, a table: {_EXAMPLE}")  # noqa: TRY004 - one kind of mistake
    every_s = USUAL_EVERY_S
    if "every" in entry:
        try:
            every_s = parse_duration(entry["every"])
        except ValueError as error:
            raise ValueError(f"`every` {error}") from None
        if not LEAST_EVERY_S <= every_s <= MOST_EVERY_S:
            raise ValueError("`every` must be at least 10s and at most 7d")
    return AlertRule(when=when, name=name, every_s=every_s, do=_actions(do))


def _actions(table: Mapping[str, object]) -> Actions:
    _only(table, _DO, "do.")
    actions = Actions(
        bell=_truth(table, "bell"),
        desktop=_truth(table, "desktop"),
        webhook=_text(table, "webhook"),
        secret_file=_text(table, "secret_file"),
        command=_command(table.get("command")),
    )
    if actions.webhook is not None:
        _check_address(actions.webhook, secret=actions.secret_file is not None)
    elif actions.secret_file is not None:
        raise ValueError("`do.secret_file` is for a webhook: add `webhook`, or remove it")
    if not (actions.bell or actions.desktop or actions.webhook or actions.command):
        raise ValueError(f"`do` says nothing: name one of {', '.join(_DO)}")
    return actions


def _check_address(address: str, *, secret: bool) -> None:
    """Refuse what is no address, and one that would show a secret to the network.

    Raises:
        ValueError: with words that say what it must be.
    """
    from urllib.parse import urlsplit  # noqa: PLC0415 - 5 ms, for those who have a webhook

    try:
        parts = urlsplit(address)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("`do.webhook` is no address: such as https://host/path") from None
    if parts.scheme not in {"http", "https"} or not host or not address.isascii() or " " in address:
        raise ValueError("`do.webhook` must begin with https:// or http:// and name a host")
    if "@" in parts.netloc:
        raise ValueError("`do.webhook` must have no password in it: use `secret_file`")
    if secret and parts.scheme == "http" and host not in _LOOPBACK:
        raise ValueError(
            "`do.webhook` must be https:// where there is a `secret_file`: it would travel in the open"
        )


def _only(table: Mapping[str, object], names: Sequence[str], before: str) -> None:
    unknown = next((name for name in table if name not in names), None)
    if unknown is None:
        return
    import difflib  # noqa: PLC0415 - needed for a mistake alone

    near = difflib.get_close_matches(unknown, names, n=1, cutoff=0.5)
    hint = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(names)}"
    plain = "".join(char if char.isprintable() else "?" for char in unknown[:80])
    raise ValueError(f"has no field `{before}{plain}`: {hint}")


def _text(table: Mapping[str, object], name: str) -> str | None:
    value = table.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or len(value) > _MOST_CHARS or not value.isprintable():
        raise ValueError(f"`{name}` must be a printable text of at most {_MOST_CHARS} characters")
    return value


def _truth(table: Mapping[str, object], name: str) -> bool:
    value = table.get(name, False)
    if not isinstance(value, bool):
        raise ValueError(f"`do.{name}` must be true or false")  # noqa: TRY004 - one kind of mistake
    return value


def _command(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    words = value if isinstance(value, list) else []
    if not 1 <= len(words) <= _MOST_WORDS or not all(
        isinstance(word, str) and len(word) <= _MOST_CHARS and "\0" not in word for word in words
    ):
        raise ValueError('`do.command` must be a list of words, such as ["logger", "-t", "dstop"]')
    if not words[0].strip():
        raise ValueError("`do.command` must begin with a program")
    return tuple(words)

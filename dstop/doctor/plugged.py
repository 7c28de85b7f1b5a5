"""Rules and readers of evidence that plugins bring: held against what a rule promises, and asked with a deadline.

What is a stranger's is wrapped here, so that neither the doctor nor the monitor need know whose a rule is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from dstop.doctor.evidence.facts import Place, Sign
from dstop.doctor.live import Watch
from dstop.doctor.rule import FAMILIES, Assessment, Rule
from dstop.model.finding import Finding
from dstop.model.value import Value
from dstop.plugin.bounded import HangError, printable, why, within
from dstop.plugin.loading import installed, leave_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dstop.doctor.case import Case
    from dstop.doctor.evidence.collect import Found
    from dstop.doctor.evidence.facts import Figure
    from dstop.doctor.live import Look
    from dstop.doctor.live.scene import Scene
    from dstop.doctor.text.values import LogText
    from dstop.plugin.loading import Loaded

    _Told = Callable[..., Iterable[tuple[int, str, Mapping[str, Figure]]]]
    _Reader = tuple[str, Callable[[str, Sequence[str]], Iterable[tuple[int, str, Mapping[str, Figure]]]]]

RULES_S = 5.0
EXAMINE_S = 2.0
WATCH_S = 2.0
READ_S = 10.0
AFTER_S, STAYS_S, EVERY_S = 5.0, 10.0, 2.0
"""When findings of a stranger's rule are told, how long they stay, and how often it is asked: as ours of processes."""

MOST_RULES = 64
MOST_SIGNS = 1000
MOST_FINDINGS = 64
_BADGE, _SAYS = 10, 240
_NUMBER = re.compile(r"(?!DS)[A-Z]{2}[1-9]\d\d")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_KIND = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Plugged(Value):
    """What plugins add to the doctor."""

    rules: tuple[Rule, ...] = ()
    readers: tuple[_Reader, ...] = ()
    notices: tuple[str, ...] = ()
    """A sentence for every rule that is not used."""

    @property
    def watches(self) -> tuple[tuple[Watch, Look], ...]:
        """The rules that look at a running machine, with when they are asked."""
        return tuple(
            (
                Watch(rule.id, "", after_s=AFTER_S, stays_s=STAYS_S, every_s=EVERY_S),
                rule.watch,
            )
            for rule in self.rules
            if rule.watch is not None
        )


def page_of(text: str) -> Rule | None:
    """Give the rule of a number or a name, of ours or of a plugin; None where there is none."""
    from dstop.doctor.rules import rule_of  # noqa: PLC0415 - every rule is loaded for it

    wanted = text.strip().lower()
    ours = rule_of(text)
    if ours is not None:
        return ours
    return next((rule for rule in plugged().rules if wanted in {rule.id.lower(), rule.name}), None)


_LAST: list[tuple[Loaded, Plugged]] = []


def plugged() -> Plugged:
    """Give what the installed plugins add; asked once."""
    loaded = installed()
    if loaded is None:
        return Plugged()
    if not _LAST or _LAST[0][0] is not loaded:
        _LAST[:] = [(loaded, plugged_by(loaded))]
    return _LAST[0][1]


def plugged_by(loaded: Loaded) -> Plugged:
    """Ask plugins for their rules, and keep those that are ones."""
    rules: dict[str, Rule] = {}
    names: set[str] = set()
    notices: list[str] = []
    for hook in loaded.manager.hook.rules.get_hookimpls():
        plugin = hook.plugin_name
        function = cast("Callable[[], Iterable[object]]", hook.function)
        try:
            given = within(RULES_S, lambda: list(function())[:MOST_RULES])  # noqa: B023 - it ends before the next
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            leave_out(loaded.manager, plugin)
            notices.append(f"plugin {plugin} is not used any more: {why(error)}")
            continue
        for rule in given:
            wrong = wrong_with(rule, rules, names)
            if wrong is None and isinstance(rule, Rule):
                rules[rule.id] = guarded(rule, plugin)
                names.add(rule.name)
            else:
                notices.append(f"plugin {plugin}: a rule is not used: {wrong}")
    readers = tuple(
        (hook.plugin_name, reader(cast("_Told", hook.function), hook.argnames))
        for hook in loaded.manager.hook.evidence.get_hookimpls()
    )
    return Plugged(rules=tuple(rules.values()), readers=readers, notices=tuple(notices))


def wrong_with(rule: object, taken: Iterable[str] = (), names: Iterable[str] = ()) -> str | None:
    """Give why something is no rule that a plugin may bring; None where it is one."""
    if not isinstance(rule, Rule):
        return f"{printable(repr(rule), 60)} is no dstop.doctor.rule.Rule"
    if not isinstance(rule.id, str) or not _NUMBER.fullmatch(rule.id) or rule.id[2] not in FAMILIES:
        return f"{printable(str(rule.id), 20)!r} is no number of a plugin's rule: two letters, not DS, and three digits"
    if rule.id in taken or rule.name in names:
        return f"{rule.id} or its name is another rule's"
    if not isinstance(rule.name, str) or not _NAME.fullmatch(rule.name):
        return f"{rule.id} has no name such as cache-full"
    texts = (rule.title, rule.page, rule.cause)
    if not all(isinstance(text, str) and text.strip() for text in texts):
        return f"{rule.id} has no title, page or cause"
    return None


def guarded(rule: Rule, plugin: str) -> Rule:
    """Give the rule with its questions asked with a deadline, and its answers held to their types."""
    return replace(
        rule,
        title=printable(rule.title, _SAYS),
        examine=None if rule.examine is None else _guarded_examine(rule.examine, rule, plugin),
        watch=None if rule.watch is None else _guarded_watch(rule.watch, rule),
    )


class PluginRuleError(Exception):
    """A plugin's rule raised, hung, or gave what is no answer."""


def _guarded_examine(
    examine: Callable[[Case], Assessment | None], rule: Rule, plugin: str
) -> Callable[[Case], Assessment | None]:
    def ask(case: Case) -> Assessment | None:
        try:
            answer = within(EXAMINE_S, lambda: examine(case))
        except Exception as error:
            raise PluginRuleError(f"plugin {plugin}: rule {rule.id} is left out: {why(error)}") from error
        if answer is not None and not isinstance(answer, Assessment):
            raise PluginRuleError(f"plugin {plugin}: rule {rule.id} is left out: its answer is no Assessment")
        return answer

    return ask


def _guarded_watch(watch: Callable[[Scene], list[Finding]], rule: Rule) -> Callable[[Scene], list[Finding]]:
    hung = False

    def look(scene: Scene) -> list[Finding]:
        nonlocal hung
        if hung:
            return []
        try:
            found = within(WATCH_S, lambda: list(watch(scene))[:MOST_FINDINGS])
        except HangError:
            hung = True  # it is named once, and never waited for again
            raise
        return [_fit(one, rule) for one in found if isinstance(one, Finding)]

    return look


def _fit(finding: Finding, rule: Rule) -> Finding:
    return replace(
        finding,
        rule=rule.id,
        badge=printable(str(finding.badge), _BADGE),
        says=printable(str(finding.says), _SAYS),
    )


def answers_of(case: Case, rules: Iterable[Rule], notes: list[str]) -> list[tuple[Rule, Assessment]]:
    """Ask plugins' rules about a case; one that fails is named in the notes.

    Args:
        case: the facts.
        rules: guarded ones.
        notes: for the report; added to.
    """
    found: list[tuple[Rule, Assessment]] = []
    for rule in rules:
        if rule.examine is None:
            continue
        try:
            answer = rule.examine(case)
        except PluginRuleError as error:
            notes.append(str(error))
            continue
        if answer is not None:
            found.append((rule, answer))
    return found


def reader(
    function: _Told, argnames: Sequence[str]
) -> Callable[[str, Sequence[str]], Iterable[tuple[int, str, Mapping[str, Figure]]]]:
    """Give a hook as what is called with all that it may ask for."""

    def read(name: str, lines: Sequence[str]) -> Iterable[tuple[int, str, Mapping[str, Figure]]]:
        given = {"name": name, "lines": lines}
        return function(**{each: given[each] for each in argnames})

    return read


def with_evidence(
    found: Found, log: LogText, order: int, readers: Iterable[_Reader], notes: list[str]
) -> Found:
    """Give what was found in a log with what plugins find in it.

    Args:
        found: by dstop's own readers.
        log: its lines.
        order: of its first line among all sources.
        readers: of plugins.
        notes: for the report; a reader that fails is named in them.
    """
    signs: list[Sign] = []
    lines = tuple(line.text for line in log.lines)
    for plugin, read in readers:
        try:
            told = within(READ_S, lambda: list(read(log.name, lines))[:MOST_SIGNS])  # noqa: B023 - it ends before the next
            signs += [_sign(log, order, *one) for one in told]
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            notes.append(f"plugin {plugin}: its reading of {log.name} is left out: {why(error)}")
    if not signs:
        return found
    every = sorted((*found.signs, *signs), key=lambda sign: sign.place.order)
    return replace(found, signs=tuple(every))


def _sign(log: LogText, order: int, index: int, kind: str, values: Mapping[str, Figure]) -> Sign:
    """Make a sign of a stranger's answer.

    Raises:
        ValueError: there is no such line, or the kind is none.
    """
    if not 0 <= index < len(log.lines) or not _KIND.fullmatch(kind):
        raise ValueError(f"line {index} or kind {printable(str(kind), 40)!r} is none")
    line = log.lines[index]
    return Sign(
        kind=kind,
        place=Place(source=log.name, line=line.number, order=order + index),
        text=" ".join(line.text.split())[:300],
        values={
            printable(str(name), 40): value if isinstance(value, int | float) else printable(str(value), 120)
            for name, value in dict(values).items()
        },
    )

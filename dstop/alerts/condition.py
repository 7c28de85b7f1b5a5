"""What `when` says: `finding:DS2*`, `gpu.memory_pct > 95 for 60s`, `process: user:alice mem>60G for 5m`.

A condition looks at one reading and says of each thing that it is about: yes, no, or not known. What is not known is no
reason to begin an alert, and none to end one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Protocol, TypeAlias

from dstop.alerts.figures import Figure, figures
from dstop.doctor.live import WATCHES
from dstop.errors import DstopError, SettingsError
from dstop.model.finding import Severity
from dstop.model.value import Value
from dstop.settings.alerts import parse_duration
from dstop.units import bytes_text
from dstop.view.filter import Filter, parse
from dstop.view.filter.terms import COMPARE, Operator
from dstop.view.filter.values import number_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.model.finding import Finding
    from dstop.model.gpu import Gpu
    from dstop.model.sample import Sample

Key: TypeAlias = tuple[object, ...]
_FOR = re.compile(r"(.*\S)\s+for\s+(\S+)", re.DOTALL)
_CLAUSE = re.compile(r"(gpu|host)\.(\w+)\s*(<=|>=|==|!=|<|>|=)\s*(\S+)")
_PATTERN = re.compile(r"[A-Z0-9*?_-]{1,40}")
_SEVERITIES = tuple(Severity)
_MOST_CLAUSES = 8
LONGEST_FOR_S = 86400.0
_HELP = 'such as "finding:DS2*", "gpu.memory_pct > 95 for 60s" or "process: user:alice mem>60G"'


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Subject(Value):
    """What an alert is about, in a sentence and in figures for a program."""

    says: str
    severity: Severity = Severity.WARNING
    rule: str | None = None
    """Of a finding."""
    gpu_index: int | None = None
    gpu_uuid: str | None = None
    pid: int | None = None
    user: str | None = None
    command: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Seen(Value):
    """One thing in one reading. `holds` is None where that is not known."""

    key: Key
    holds: bool | None
    subject: Subject | None = None
    """Set where it holds."""


class Look(Protocol):
    """What a condition asks of a reading."""

    def seen(self, sample: Sample, findings: Sequence[Finding]) -> list[Seen]:
        """Give what holds, or may hold; what is left out does not."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Condition(Value):
    """A look, and how long what it sees must have been so."""

    look: Look
    for_s: float = 0.0


def parse_condition(text: str) -> Condition:
    """Read a condition.

    Raises:
        SettingsError: it is none; with the next step.
    """
    for_s, rest = 0.0, text.strip()
    split = _FOR.fullmatch(rest)
    if split is not None:
        rest = split[1]
        try:
            for_s = parse_duration(split[2])
        except ValueError as error:
            raise _wrong(text, f"what comes after `for` {error}") from None
        if for_s > LONGEST_FOR_S:
            raise _wrong(text, "what comes after `for` must be at most a day")
    if rest.startswith("finding:"):
        return Condition(look=_findings(text, rest.removeprefix("finding:")), for_s=for_s)
    if rest.startswith("process:"):
        return Condition(look=_processes(text, rest.removeprefix("process:")), for_s=for_s)
    return Condition(look=_thresholds(text, rest), for_s=for_s)


# ---- findings ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class _Findings(Value):
    patterns: tuple[str, ...]
    least: Severity = Severity.NOTE

    def seen(self, sample: Sample, findings: Sequence[Finding]) -> list[Seen]:
        cards = {gpu.index: gpu.uuid for gpu in sample.gpus}
        found = []
        for finding in findings:
            if _SEVERITIES.index(finding.severity) < _SEVERITIES.index(self.least):
                continue
            if not any(fnmatchcase(finding.rule, pattern) for pattern in self.patterns):
                continue
            index = finding.gpu_index
            subject = Subject(
                says=finding.says if index is None else f"GPU {index}: {finding.says}",
                severity=finding.severity,
                rule=finding.rule,
                gpu_index=index,
                gpu_uuid=None if index is None else cards.get(index),
                pid=finding.pid,
            )
            key = (finding.rule, index, finding.pid, finding.started_at_s)
            found.append(Seen(key=key, holds=True, subject=subject))
        return found


def _findings(whole: str, text: str) -> _Findings:
    head, *rest = text.split() or [""]
    least = Severity.NOTE
    for word in rest:
        name, _, level = word.partition(">=")
        if name != "severity" or level not in _SEVERITIES:
            raise _wrong(whole, f"{word[:40]!r} is none of severity>=warning, severity>=critical")
        least = Severity(level)
    patterns = tuple(part.strip().upper() for part in head.split(",") if part.strip())
    if not patterns or not all(_PATTERN.fullmatch(pattern) for pattern in patterns):
        raise _wrong(whole, "`finding:` needs numbers of rules, such as DS850 or DS2*")
    for pattern in patterns:
        known = [watch.rule for watch in WATCHES]
        if pattern.startswith("DS") and not any(fnmatchcase(rule, pattern) for rule in known):
            raise _wrong(
                whole, f"no rule that watches a running machine is {pattern}; there are {', '.join(known)}"
            )
    return _Findings(patterns=patterns, least=least)


# ---- thresholds ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class _Bound(Value):
    figure: Figure
    operator: Operator
    bound: float
    written: str

    def holds(self, value: float) -> bool:
        return COMPARE[self.operator](value, self.bound)

    def says(self, value: float) -> str:
        return f"{self.figure.name} {self.figure.text(value)} ({self.operator.value} {self.written})"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class _OfCards(Value):
    bounds: tuple[_Bound, ...]

    def seen(self, sample: Sample, findings: Sequence[Finding]) -> list[Seen]:
        del findings
        found = []
        for gpu in sample.gpus:
            key = ("gpu", gpu.uuid or gpu.index)
            old = gpu.fault is not None or gpu.stale_s > 0
            holds, says = (None, "") if old else _all_of(self.bounds, sample, gpu)
            subject = Subject(says=f"GPU {gpu.index}: {says}", gpu_index=gpu.index, gpu_uuid=gpu.uuid)
            found.append(Seen(key=key, holds=holds, subject=subject if holds else None))
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class _OfHost(Value):
    bounds: tuple[_Bound, ...]

    def seen(self, sample: Sample, findings: Sequence[Finding]) -> list[Seen]:
        del findings
        holds, says = _all_of(self.bounds, sample, None)
        return [Seen(key=("host",), holds=holds, subject=Subject(says=f"host: {says}") if holds else None)]


def _all_of(bounds: Sequence[_Bound], sample: Sample, gpu: Gpu | None) -> tuple[bool | None, str]:
    """Hold all figures against their bounds: one that does not hold decides, whatever is not known of the others."""
    values = [bound.figure.read(sample, gpu) for bound in bounds]
    pairs = list(zip(bounds, values, strict=True))
    if any(value is not None and not bound.holds(value) for bound, value in pairs):
        return False, ""
    if any(value is None for value in values):
        return None, ""
    return True, ", ".join(bound.says(value) for bound, value in pairs if value is not None)


def _thresholds(whole: str, text: str) -> Look:
    clauses = re.split(r"\s+and\s+", text)
    if len(clauses) > _MOST_CLAUSES:
        raise _wrong(whole, f"more than {_MOST_CLAUSES} figures are too many")
    parsed = [_clause(whole, clause) for clause in clauses]
    if len({of for of, _ in parsed}) > 1:
        raise _wrong(whole, "gpu. and host. cannot be in one condition: write two alerts")
    bounds = tuple(bound for _, bound in parsed)
    return _OfHost(bounds=bounds) if parsed[0][0] == "host" else _OfCards(bounds=bounds)


def _clause(whole: str, text: str) -> tuple[str, _Bound]:
    match = _CLAUSE.fullmatch(text.strip())
    if match is None:
        raise _wrong(whole, f"{text.strip()[:60]!r} is no condition")
    of, name, sign, written = match.groups()
    figure = figures()[of].get(name)
    if figure is None:
        import difflib  # noqa: PLC0415 - needed for a mistake alone

        near = difflib.get_close_matches(name, figures()[of], n=1, cutoff=0.5)
        hint = f"did you mean {of}.{near[0]}?" if near else f"there are {', '.join(figures()[of])}"
        raise _wrong(whole, f"there is no figure {of}.{name[:40]}; {hint}")
    try:
        bound = number_of(figure.kind, written)
    except ValueError:
        example = "10G" if figure.kind.name == "BYTES" else "95"
        raise _wrong(whole, f"{written[:40]!r} is no number for {of}.{name}, such as {example}") from None
    operator = Operator("==" if sign == "=" else sign)
    return of, _Bound(figure=figure, operator=operator, bound=bound, written=written)


# ---- processes -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class _Processes(Value):
    filter: Filter

    def seen(self, sample: Sample, findings: Sequence[Finding]) -> list[Seen]:
        del findings
        cards = {gpu.index: gpu for gpu in sample.gpus}
        found = []
        for row in sample.processes:
            gpu = cards.get(row.gpu_index)
            if not self.filter.matches(row, gpu, now_ns=sample.taken_at_ns):
                continue
            facts = row.facts
            held = bytes_text(row.gpu_memory_bytes)
            subject = Subject(
                says=f"GPU {row.gpu_index}: {facts.command or 'process'} ({row.pid}, "
                f"{facts.user or 'user not known'}) holds {held}",
                gpu_index=row.gpu_index,
                gpu_uuid=row.gpu_uuid or (gpu.uuid if gpu else None),
                pid=row.pid,
                user=facts.user,
                command=facts.command,
            )
            found.append(Seen(key=tuple(row.key), holds=True, subject=subject))
        return found


def _processes(whole: str, text: str) -> _Processes:
    try:
        asked = parse(text)
    except DstopError as error:
        raise _wrong(whole, str(error)) from None
    if not asked:
        raise _wrong(whole, "`process:` needs a filter, as after / on the screen")
    return _Processes(filter=asked)


def _wrong(whole: str, what: str) -> SettingsError:
    return SettingsError(f"alerts: {whole[:80]!r}: {what}", fix=_HELP)

"""What stands before the message in a line: ranks, worker names, times, loggers, containers.

Launchers write many processes into one log; whose line it is stands in its prefix, and nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dstop.model.value import Value

_MOST_PREFIXES = 6

_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
_WORKER = (
    r"\((?P<who>(?:\w+_TP(?P<rank>\d{1,4})\w*|[A-Za-z_][\w.]*)(?: rank=(?P<rank2>\d{1,6}))?,? pid=\d{1,10})"
    r"(?:, ip=[\d.]+)?\) ?"
)
_PREFIXES = tuple(
    re.compile(expression)
    for expression in (
        r"\[rank(?P<rank>\d{1,6})\]:? ?",
        r"\[(?:default|Rank )(?P<rank>\d{1,6})\]:? ?",
        r"\[\d{1,4},(?P<rank>\d{1,6})\]<std(?:err|out)>:? ?",
        _WORKER,
        r"\((?P<who>[A-Za-z_]\w* \d\d-\d\d \d\d:\d\d:\d\d [\w./]+:\d+)\] ?",
        r"(?:ERROR|INFO|WARNING|CRITICAL|DEBUG)(?P<vllm>) \d\d-\d\d \d\d:\d\d:\d\d \[?[\w./ ]{1,80}:\d+\] ?",
        rf"\[(?P<at>{_TIME})(?: [DPC]P\d{{1,4}}){{0,3}}(?: TP(?P<rank>\d{{1,4}}))?(?: [DPE]P\d{{1,4}}){{0,2}}\] ?",
        rf"\[?(?P<at>{_TIME})(?:Z|[+-]\d\d:?\d\d)?\]?(?: ?[-|:])* {{0,2}}",
        r"\[(?:DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL|FATAL)\](?: ?[-|:]+)? ?",
        r"(?:DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL|FATAL)(?:  ?| ?[-|:]+ ?)(?=\S)",
        r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [\w.-]{1,80} (?=[\w./-]{1,60}(?:\[\d+\])?: )",
        r"(?:[\w.-]{1,40}(?:/[\w.-]{1,20})?\[\d{1,10}\]|kernel): ",
        r"\[ {0,6}\d{1,9}\.\d{6}\](?: \[?T?\d*\]?)? ",
        r"(?:[\w.-]{1,60}-\d{1,4}|[\w-]{1,40}) {1,20}\| ",
        r"#\d{1,4} \d{1,7}\.\d{1,3} ",
        r"[IWEF]\d{4} \d\d:\d\d:\d\d(?:\.\d{1,6})? {1,8}\d{1,9} (?=[\w./]{1,80}:\d+\])",
    )
)
_FIRST = frozenset("[(#EIWCDFkc0123456789abcdefghijlmnopqrstuvwxyzABGHJKLMNOPQRSTUVXYZ")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Stripped(Value):
    """A line without its prefixes, and what they told."""

    text: str
    rank: int | None = None
    who: str | None = None
    """The worker's own name for itself, where it has one: `EngineCore_DP0 pid=4100`."""
    at: str | None = None


def strip_prefixes(text: str) -> Stripped:
    """Take the prefixes off a line, at most six, in whatever order the layers above the program put them."""
    rank: int | None = None
    who: str | None = None
    at: str | None = None
    begin = 0
    for _ in range(_MOST_PREFIXES):
        found = _match(text, begin)
        if found is None:
            break
        groups = found.groupdict()
        number = groups.get("rank") or groups.get("rank2")
        rank = int(number) if number is not None and rank is None else rank
        who = groups.get("who") or who or ("vllm" if groups.get("vllm") is not None else None)
        at = groups.get("at") or at
        begin = found.end()
    return Stripped(text=text[begin:] if begin else text, rank=rank, who=who, at=_sortable(at))


def _match(text: str, begin: int) -> re.Match[str] | None:
    if begin >= len(text) or text[begin] not in _FIRST:
        return None
    for prefix in _PREFIXES:
        found = prefix.match(text, begin)
        if found is not None and found.end() > begin:
            return found
    return None


def _sortable(at: str | None) -> str | None:
    return None if at is None else at.replace("T", " ").replace(",", ".")

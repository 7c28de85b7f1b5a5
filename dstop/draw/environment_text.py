"""The checks of a machine as text: what is wrong first seen, each with its fix."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from dstop.doctor.environment.values import CheckStatus
from dstop.draw.line import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.doctor.environment.values import Check
    from dstop.draw.line import Line

_WIDEST = 120
_WORDS = {
    CheckStatus.FAIL: ("fail", "badge.bad"),
    CheckStatus.WARN: ("warn", "badge"),
    CheckStatus.UNKNOWN: ("?   ", "badge.note"),
    CheckStatus.PASS: ("ok  ", "ok"),
}


def check_lines(checks: Sequence[Check], width: int, *, every: bool = False) -> list[Line]:
    """Draw the checks in their order.

    Args:
        checks: as `examine` gave them.
        width: cells; text is wrapped at 120 at most.
        every: draw those that passed with what they found; else their titles, several on a line.
    """
    width = max(40, min(width, _WIDEST))
    lines: list[Line] = []
    for check in checks:
        if check.status is CheckStatus.PASS and not every:
            continue
        lines += _check(check, width)
    passed = [clean(check.title) for check in checks if check.status is CheckStatus.PASS]
    if passed and not every:
        text = f"{len(passed)} passed: {', '.join(passed)} (--all shows what they found)"
        lines += [(), *_wrapped(text, "dim", width, "", "  ")]
    return [*lines, (), ((_summary(checks), "title"),)]


def _check(check: Check, width: int) -> list[Line]:
    word, role = _WORDS[check.status]
    indent = " " * 6
    first, *rest = textwrap.wrap(
        f"{clean(check.title)}: {clean(check.says)}", width - 6, break_on_hyphens=False
    ) or [""]
    lines: list[Line] = [((word, role), ("  ", ""), (first, ""))]
    lines += [((indent + part, ""),) for part in rest]
    if check.fix is not None:
        lines.append(((indent, ""), (clean(check.fix), "mine")))
    if check.status is not CheckStatus.PASS:
        lines.append(((f"{indent}{check.id}, from {clean(check.source)}", "dim"),))
    return lines


def _summary(checks: Sequence[Check]) -> str:
    counts = {status: sum(check.status is status for check in checks) for status in CheckStatus}
    return (
        f"{counts[CheckStatus.FAIL]} failed, {counts[CheckStatus.WARN]} to look at, "
        f"{counts[CheckStatus.UNKNOWN]} unknown, {counts[CheckStatus.PASS]} passed"
    )


def _wrapped(text: str, role: str, width: int, indent: str, hanging: str) -> list[Line]:
    parts = textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=hanging, break_on_hyphens=False
    )
    return [((part, role),) for part in parts]

"""What the live rules have found: a line each, and one finding with its proof and what helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.badges import finding_badge
from dstop.draw.line import cells, clean, fit, fit_line, line_cells

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dstop.draw.line import Line
    from dstop.model.evidence import Fix
    from dstop.model.finding import Finding

BADGE_CELLS = 12
"""The longest badge, with a cell on either side."""
_WIDEST = 120
"""As far as an eye reads a line."""


def finding_line(finding: Finding, width: int, *, whole: bool = False) -> Line:
    """Draw one finding in a line: its badge, its rule, and what it says; `whole` lets it be longer than `width`."""
    word, role = finding_badge(finding)
    badge = f" {word} "
    gap = " " * max(1, BADGE_CELLS + 1 - cells(badge))
    head = ((" ", ""), (badge, role), (gap, ""), (f"{finding.rule} ", "dim"))
    used = line_cells(head)
    says = clean(finding.says)
    room = max(width, used + cells(says)) if whole else width
    return fit_line((*head, (fit(says, max(0, room - used)), "")), room)


def finding_lines(findings: Sequence[Finding], width: int) -> list[Line]:
    """Draw all, the worst first."""
    return [finding_line(finding, width) for finding in findings]


def finding_summary(finding: Finding, width: int) -> list[Line]:
    """Draw the whole sentence of a finding, for a list that has no room for it, and the first line to paste."""
    room = min(width, _WIDEST)
    lines = list(_wrapped(finding.says, "title", room, " "))
    command = next((fix.command for fix in finding.fixes if fix.command is not None), None)
    if command is not None:
        lines.append(((" ▸ ", "warn"), (fit(clean(command), max(1, room - 4)), "mine")))
    return [fit_line(line, width) for line in lines]


def finding_detail_lines(finding: Finding, width: int, *, chosen: int | None = None) -> list[Line]:
    """Draw one finding: what it says, its proof, and what helps.

    Args:
        finding: which.
        width: cells; text is wrapped at 120 at most.
        chosen: the place of the fix that is marked, of those with a line to paste.
    """
    room = min(width, _WIDEST)
    word, role = finding_badge(finding)
    lines: list[Line] = [
        ((" ", ""), (f" {word} ", role), (f"  {finding.rule} {clean(finding.cause)}", "dim"))
    ]
    lines += _wrapped(finding.says, "title", room, " ")
    lines.append(())
    for item in finding.evidence:
        source = clean(item.source)
        lines += _wrapped(f"{source}: {item.says}", "", room, "  ", "      ")
    if finding.fixes:
        lines += [(), ((" What helps", "label"),)]
        for place, fix in enumerate(finding.fixes):
            lines += _fix_lines(fix, place + 1, room, marked=place == chosen)
    return [fit_line(line, width) for line in lines]


def _fix_lines(fix: Fix, number: int, width: int, *, marked: bool) -> Iterator[Line]:
    yield from _wrapped(f"{number}. {fix.title}", "", width, "  ", "     ")
    if fix.command is not None:
        mark = ("  ▸  ", "warn") if marked else ("     ", "")
        command = clean(fix.command)
        room = max(1, width - 6)
        yield (mark, (command if cells(command) <= room else fit(command, room), "mine"))
    if fix.cost:
        yield from _wrapped(f"costs: {fix.cost}", "dim", width, "     ")


def _wrapped(text: str, role: str, width: int, indent: str, hanging: str | None = None) -> Iterator[Line]:
    import textwrap  # noqa: PLC0415 - a list of findings never needs it

    parts = textwrap.wrap(
        clean(text),
        max(20, width - 1),
        initial_indent=indent,
        subsequent_indent=indent if hanging is None else hanging,
        break_on_hyphens=False,
    )
    for part in parts or [indent]:
        yield ((part, role),)

"""A report as text: each diagnosis with its proof, the balance sheet as a bar, and fixes to paste."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from dstop.draw.balance_bar import amount_text, balance_bar, balance_legend
from dstop.draw.line import clean
from dstop.model.diagnosis import Confidence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dstop.draw.line import Line
    from dstop.model.diagnosis import Diagnosis, Fix, Report

_MOST_EVIDENCE = 6
_MOST_FIXES = 5
_WIDEST = 120
_LEAST = 40
_BADGES = {Confidence.CERTAIN: "badge.bad", Confidence.LIKELY: "badge", Confidence.POSSIBLE: "badge.note"}


def report_lines(report: Report, width: int, *, every: bool = False) -> list[Line]:
    """Draw a report.

    Args:
        report: what was found.
        width: cells; text is wrapped at 120 at most, which is as far as an eye reads a line.
        every: draw the other diagnoses whole, too, and not as a line each.
    """
    width = max(_LEAST, min(width, _WIDEST))
    if not report.diagnoses:
        lines = [_line("No failure that dstop knows was found.", "title")]
        lines += _wrapped(
            f"read: {', '.join(clean(name) for name in report.sources) or 'nothing'}", "dim", width, "  "
        )
        return lines + _notes(report.notes, width)
    first, *others = report.diagnoses
    lines = diagnosis_lines(first, width)
    if others and not every:
        lines += [(), _line("If not that:", "label")]
        for other in others:
            lines += _wrapped(
                f"{other.title} ({other.confidence}, dstop explain {other.rule})", "", width, "  "
            )
    for number, other in enumerate(others if every else (), 2):
        lines += [(), *diagnosis_lines(other, width, number=number)]
    return lines + _notes(report.notes, width)


def diagnosis_lines(diagnosis: Diagnosis, width: int, *, number: int = 1) -> list[Line]:
    """Draw one diagnosis; `number` is its place among those of the report."""
    width = max(_LEAST, min(width, _WIDEST))
    head = f" {diagnosis.confidence} "
    where = ", ".join(_where(diagnosis))
    lines: list[Line] = []
    title = textwrap.wrap(clean(diagnosis.title), max(_LEAST // 2, width - len(head) - 1)) or [""]
    lines.append(((head, _BADGES[diagnosis.confidence]), (" ", ""), (title[0], "title")))
    lines += [_line(f"{' ' * (len(head) + 1)}{more}", "title") for more in title[1:]]
    origin = f"{diagnosis.rule} {diagnosis.cause}" + (
        f" ({diagnosis.subcause})" if diagnosis.subcause else ""
    )
    lines += _wrapped(f"{origin}{'; ' + where if where else ''}", "dim", width, "  ")
    lines += [(), *_evidence(diagnosis, width)]
    if diagnosis.balance is not None and diagnosis.balance.total_bytes:
        bar = balance_bar(diagnosis.balance, width - 4)
        lines += [(), (("  ", ""), *bar)]
        lines += [(("  ", ""), *line) for line in balance_legend(diagnosis.balance, width - 4)]
    if diagnosis.against:
        lines.append(())
        for text in diagnosis.against:
            lines += _wrapped(f"✗ {clean(text)}", "warn", width, "  ", "    ")
    if diagnosis.fixes:
        lines += [
            (),
            _line("  What helps, the smallest change first" if number == 1 else "  What helps", "label"),
        ]
        for place, fix in enumerate(diagnosis.fixes[:_MOST_FIXES], 1):
            lines += _fix(place, fix, width)
    return lines


def _where(diagnosis: Diagnosis) -> Iterator[str]:
    if diagnosis.phase is not None:
        yield diagnosis.phase
    if diagnosis.rank is not None:
        yield f"rank {diagnosis.rank} failed first"
    if diagnosis.device is not None:
        yield f"cuda:{diagnosis.device}"


def _evidence(diagnosis: Diagnosis, width: int) -> Iterator[Line]:
    for item in diagnosis.evidence[:_MOST_EVIDENCE]:
        source = clean(item.source)
        yield from _wrapped(f"{source}: {clean(item.says)}", "", width, "  ", "      ", head=len(source) + 1)
    left = len(diagnosis.evidence) - _MOST_EVIDENCE
    if left > 0:
        yield _line(f"  and {left} more (--json has them all)", "dim")


def _fix(place: int, fix: Fix, width: int) -> Iterator[Line]:
    yield from _wrapped(
        f"{place}. {clean(fix.title)}{_worth(fix)}", "ok" if fix.is_enough else "", width, "  ", "     "
    )
    if fix.command is not None:
        yield (("     ", ""), (clean(fix.command), "mine"))
    if fix.cost:
        yield from _wrapped(f"costs: {fix.cost}", "dim", width, "     ")


def _worth(fix: Fix) -> str:
    if fix.recovers_bytes is None:
        return ""
    short = f" of the {amount_text(fix.short_bytes)} short" if fix.short_bytes else ""
    return f": recovers {amount_text(fix.recovers_bytes)}{short}"


def _notes(notes: Sequence[str], width: int) -> list[Line]:
    lines: list[Line] = [()] if notes else []
    for note in notes:
        lines += _wrapped(clean(note), "note", width, "  ")
    return lines


def _wrapped(
    text: str, role: str, width: int, indent: str, hanging: str | None = None, *, head: int = 0
) -> list[Line]:
    """Break a text into lines; the first `head` characters are dimmed, as a source is."""
    parts = textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent if hanging is None else hanging,
        break_on_hyphens=False,
    ) or [indent]
    lines: list[Line] = [_line(part, role) for part in parts]
    if head and len(parts[0]) > len(indent) + head:
        cut = len(indent) + head
        lines[0] = ((parts[0][:cut], "dim"), (parts[0][cut:], role))
    return lines


def _line(text: str, role: str) -> Line:
    return ((text, role),)

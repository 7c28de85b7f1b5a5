"""A report for an issue tracker: what whoever answers needs, and nothing that its text could do to the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dstop
from dstop.draw.balance_bar import amount_text
from dstop.export.doctor_tables import (
    known_facts,
    request_text,
    share_text,
    sheet_of,
    unknown_facts,
    where_text,
    worth_text,
)
from dstop.export.markdown_text import code, escaped, fenced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.export.doctor_tables import Sheet
    from dstop.model.diagnosis import Balance, Diagnosis, Fix, Report

LONGEST = 60_000
"""Characters; GitHub refuses an issue of more than 65,536."""


def report_markdown(report: Report) -> str:
    """Write a report; where it would be too long for an issue, the other diagnoses are left out, and it says so."""
    text = "\n".join(_report(report, others=True)) + "\n"
    if len(text) > LONGEST and len(report.diagnoses) > 1:
        text = "\n".join(_report(report, others=False)) + "\n"
    return text


def _report(report: Report, *, others: bool) -> Iterator[str]:
    if not report.diagnoses:
        yield "## No failure that dstop knows was found"
    else:
        first, *rest = report.diagnoses
        yield from _diagnosis(first, "##")
        if rest and others:
            yield from _others(rest)
        elif rest:
            yield from ("", f"{len(rest)} other diagnoses did not fit; `dstop doctor --all` has them.")
    yield from _facts(report)
    for note in report.notes:
        yield from ("", f"> {escaped(note)}")


def _diagnosis(one: Diagnosis, heading: str) -> Iterator[str]:
    yield f"{heading} {escaped(one.title)} ({one.confidence})"
    cause = code(one.cause) + (f" ({code(one.subcause)})" if one.subcause else "")
    where = where_text(one)
    yield from ("", f"Rule {code(one.rule)}, cause {cause}{'; ' + escaped(where) if where else ''}.")
    if one.evidence:
        yield from ("", "**Evidence**", "")
        yield from (f"- {code(item.source)}: {escaped(item.says)}" for item in one.evidence)
    sheet = sheet_of(one.balance)
    if sheet is not None and one.balance is not None:
        yield from ("", "**Where the memory was**", "", *_sheet(sheet, one.balance))
    if one.against:
        yield from ("", "**What speaks against it**", "")
        yield from (f"- {escaped(text)}" for text in one.against)
    if one.fixes:
        yield from ("", "**What helps, the smallest change first**", "")
        for number, fix in enumerate(one.fixes, 1):
            yield from _fix(number, fix)


def _sheet(sheet: Sheet, balance: Balance) -> Iterator[str]:
    yield from ("| Part | Amount | Share |", "|---|--:|--:|")
    for part in sheet.parts:
        yield f"| {part.name} | {amount_text(part.bytes)} | {share_text(part.bytes, sheet.total_bytes)} |"
    yield f"| **the card** | **{amount_text(sheet.total_bytes)}** | **100 %** |"
    if sheet.excess_bytes:
        yield from (
            "",
            f"The parts exceed the card by {amount_text(sheet.excess_bytes)}: memory was spilled to the host.",
        )
    if asked := request_text(balance):
        yield from ("", asked)


def _fix(number: int, fix: Fix) -> Iterator[str]:
    indent = " " * (len(str(number)) + 2)
    worth = worth_text(fix)
    yield f"{number}. **{escaped(fix.title)}**{': ' + worth if worth else ''}"
    if fix.command is not None:
        yield from ("", *fenced(fix.command, indent))
    if fix.cost:
        yield from ("", f"{indent}Costs: {escaped(fix.cost)}")
    yield ""


def _others(rest: list[Diagnosis]) -> Iterator[str]:
    what = "one other diagnosis" if len(rest) == 1 else f"{len(rest)} other diagnoses"
    yield from ("", "<details>", f"<summary>If not that: {what}</summary>", "")
    for one in rest:
        yield from (*_diagnosis(one, "###"), "")
    yield "</details>"


def _facts(report: Report) -> Iterator[str]:
    yield from ("", "**Facts**", "", "| Fact | Value |", "|---|--:|")
    for key, shown in known_facts(report.facts):
        yield f"| {escaped(key)} | {escaped(shown)} |"
    yield f"| dstop | {dstop.__version__} |"
    unknown = unknown_facts(report.facts)
    if unknown:
        yield from ("", f"Not told: {', '.join(map(code, unknown))}.")
    if report.sources:
        yield from ("", f"Read: {', '.join(map(code, report.sources))}.")

"""A report as one HTML file that opens anywhere: it loads nothing, runs nothing but its copy buttons, and prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dstop
from dstop.doctor.rules import rule_of
from dstop.draw.balance_bar import amount_text
from dstop.export.doctor_bar_svg import bar_svg, letters, swatch
from dstop.export.doctor_tables import (
    known_facts,
    share_text,
    sheet_of,
    unknown_facts,
    where_text,
    worth_text,
)
from dstop.export.markup import Markup, element, joined, one_line
from dstop.export.page import page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dstop.export.doctor_tables import Sheet
    from dstop.model.diagnosis import Balance, Diagnosis, Evidence, Fix, Report


def report_html(report: Report) -> str:
    """Write a report as a page."""
    title = report.diagnoses[0].title if report.diagnoses else _NOTHING
    return page(title, (element("main", *_main(report)),), ("doctor_report.css",), ("doctor_report.js",))


_NOTHING = "No failure that dstop knows was found"


def _main(report: Report) -> Iterator[Markup]:
    yield element("p", element("b", "dstop"), " incident report", class_="over")
    if not report.diagnoses:
        yield element("h1", _NOTHING)
    else:
        first, *others = report.diagnoses
        yield element("header", element("h1", one_line(first.title)), _verdict(first))
        if first.balance is not None:
            yield _figures(first.balance)
        yield from _diagnosis(first, "h2", skip=None)
        if others:
            yield element("h2", "If not that")
            yield from (_folded(one, first.balance) for one in others)
        yield from _page(first.rule)
    yield from _facts(report)
    yield _footer(report.sources)


def _verdict(one: Diagnosis) -> Markup:
    where = where_text(one)
    parts = [element("span", one.confidence, class_=f"word {one.confidence}"), element("span", one.rule)]
    parts.append(element("span", one_line(one.cause + (f" ({one.subcause})" if one.subcause else ""))))
    if where:
        parts.append(element("span", one_line(where)))
    return element("p", *_spaced(parts), class_="verdict")


def _spaced(parts: Sequence[Markup]) -> Iterator[str]:
    """Part what the style sheet puts apart also for whoever reads without it."""
    for place, part in enumerate(parts):
        yield from (" ", part) if place else (part,)


def _figures(balance: Balance) -> Markup:
    known = (
        ("asked for", balance.tried_bytes, ""),
        ("free", balance.free_bytes, ""),
        ("short", balance.short_bytes, "short"),
        ("the card", balance.total_bytes, ""),
    )
    shown = [
        element("div", element("dt", name), element("dd", amount_text(count)), class_=sign or None)
        for name, count, sign in known
        if count is not None
    ]
    return element("dl", *shown, class_="figures")


def _diagnosis(one: Diagnosis, heading: str, *, skip: Balance | None) -> Iterator[Markup]:
    sheet = sheet_of(one.balance)
    if sheet is not None and one.balance is not None and one.balance != skip:
        yield element(heading, "Where the memory was")
        yield from _sheet(sheet, one.balance)
    if one.evidence:
        yield element(heading, "Evidence")
        yield element("ul", *map(_evidence, one.evidence), class_="evidence")
    if one.against:
        yield element(heading, "What speaks against it")
        yield element("ul", *(element("li", one_line(text)) for text in one.against), class_="against")
    if one.fixes:
        yield element(heading, "What helps, the smallest change first")
        yield element("ol", *map(_fix, one.fixes), class_="fixes")


def _sheet(sheet: Sheet, balance: Balance) -> Iterator[Markup]:
    yield bar_svg(sheet, balance)
    names = letters(sheet)
    rows = [
        element(
            "tr",
            element("td", names[part.id], class_="key"),
            element("td", swatch(part.id), part.name, class_="part"),
            element("td", amount_text(part.bytes), class_="n"),
            element("td", share_text(part.bytes, sheet.total_bytes), class_="n"),
        )
        for part in sheet.parts
    ]
    total = element(
        "tr",
        element("td", class_="key"),
        element("th", "the card", scope="row", class_="part"),
        element("td", amount_text(sheet.total_bytes), class_="n"),
        element("td", "100 %", class_="n"),
    )
    yield element("table", element("tbody", *rows), element("tfoot", total))
    if sheet.excess_bytes:
        yield element(
            "p",
            f"The parts exceed the card by {amount_text(sheet.excess_bytes)}: memory was spilled to the host.",
        )


def _evidence(item: Evidence) -> Markup:
    return element("li", element("code", one_line(item.source)), " ", element("span", one_line(item.says)))


def _fix(fix: Fix) -> Markup:
    parts = [element("h4", one_line(fix.title))]
    worth = worth_text(fix)
    if worth:
        parts.append(element("p", worth, *_enough(fix), class_="worth"))
    if fix.command is not None:
        button = element("button", "Copy", type="button", class_="copy", hidden="")
        parts.append(element("div", element("pre", element("code", fix.command)), button, class_="code"))
    if fix.cost:
        parts.append(element("p", f"costs: {one_line(fix.cost)}", class_="cost"))
    return element("li", *parts)


def _enough(fix: Fix) -> Iterator[str]:
    if fix.is_enough is not None and fix.short_bytes:
        yield ": "
        yield element("b", "enough") if fix.is_enough else element("b", "not enough alone", class_="less")


def _folded(one: Diagnosis, balance: Balance | None) -> Markup:
    aside = element("span", f"{one.confidence}, {one.rule} {one_line(one.cause)}", class_="aside")
    summary = element("summary", one_line(one.title), " ", aside)
    return element("details", summary, *_diagnosis(one, "h3", skip=balance))


def _page(name: str) -> Iterator[Markup]:
    rule = rule_of(name)
    if rule is None or not rule.text:
        return
    shown: list[Markup] = []
    for block in rule.text.split("\n\n"):
        head, *body = block.splitlines()
        if body and not head.startswith(" "):
            shown.append(element("h4", head))
        else:
            body = [head, *body]
        shown.append(element("p", *_ticked(" ".join(line.strip() for line in body))))
    summary = element("summary", f"{rule.id}, {rule.name}")
    yield element("h2", "How it was told")
    yield element("details", summary, *shown, class_="page")


def _ticked(text: str) -> Iterator[str]:
    """Give what stands between backticks as code."""
    for place, part in enumerate(text.split("`")):
        yield element("code", part) if place % 2 else part


def _facts(report: Report) -> Iterator[Markup]:
    rows = [
        element(
            "tr",
            element("th", one_line(key.replace("_", " ")), scope="row"),
            element("td", one_line(shown), class_="n"),
        )
        for key, shown in known_facts(report.facts)
    ]
    if rows:
        yield element("h2", "Facts")
        yield element("table", element("tbody", *rows), class_="facts")
    unknown = [one_line(key.replace("_", " ")) for key in unknown_facts(report.facts)]
    if unknown:
        yield element("p", f"Not told: {', '.join(unknown)}.", class_="cost")
    if report.notes:
        yield element("h2", "Notes")
        yield element("ul", *(element("li", one_line(note)) for note in report.notes), class_="notes")


def _footer(sources: Sequence[str]) -> Markup:
    read: list[str] = []
    for place, source in enumerate(sources):
        read += [", " if place else "Read: ", element("code", one_line(source))]
    return element("footer", joined(read), ". " if read else "", f"Written by dstop {dstop.__version__}.")

"""A report for an issue tracker: Markdown in which nothing from outside is markup, a mention or a reference."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dstop.draw.balance_bar import amount_text
from dstop.draw.line import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.model.diagnosis import Balance, Diagnosis, Fix, Report

_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~&])")
_BREAKS_LINKS = "\u200b"
"""Between `@` or `#` and what follows: nobody is called, and no issue is referred to."""


def report_markdown(report: Report) -> str:
    """Write a report, the best explanation whole and the others folded."""
    lines: list[str] = []
    if not report.diagnoses:
        lines.append("No failure that dstop knows was found.")
    for number, one in enumerate(report.diagnoses[:1]):
        lines += _diagnosis(one, level="##" if number == 0 else "###")
    others = report.diagnoses[1:]
    if others:
        lines += ["", "<details><summary>If not that</summary>", ""]
        for one in others:
            lines += [*_diagnosis(one, level="###"), ""]
        lines.append("</details>")
    facts = [(name, value) for name, value in report.facts.items() if value is not None]
    if facts:
        lines += ["", "| fact | value |", "|---|---|"]
        lines += [
            f"| {escaped(name)} | {escaped(f'{value:,}' if isinstance(value, int) else str(value))} |"
            for name, value in facts
        ]
    lines += ["", *(f"- {escaped(note)}" for note in report.notes)]
    if report.sources:
        lines.append(f"\nRead: {', '.join(code(name) for name in report.sources)}")
    return "\n".join(lines).strip() + "\n"


def escaped(text: str) -> str:
    """Write text as text: no markup, no mention, no reference, no line break."""
    flat = " ".join(clean(text).split())
    quiet = re.sub(r"([@#])(?=\w)", rf"\1{_BREAKS_LINKS}", _MARKUP.sub(r"\\\1", flat))
    return re.sub(r"(?i)\b(https?):", r"\1\\:", quiet)


def code(text: str) -> str:
    """Write text as code, whatever backticks it has."""
    flat = " ".join(clean(text).split()).replace("|", "¦")
    longest = max((len(run) for run in re.findall(r"`+", flat)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") or not flat else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


def _diagnosis(one: Diagnosis, level: str) -> Iterator[str]:
    yield f"{level} {escaped(one.title)}"
    yield ""
    where = [
        part for part in (one.phase, None if one.rank is None else f"rank {one.rank} failed first") if part
    ]
    words = "; ".join(escaped(part) for part in where)
    yield f"**{one.confidence}**, {code(one.cause)}, rule {one.rule}{'; ' + words if words else ''}"
    yield ""
    for item in one.evidence:
        yield f"- {code(item.source)}: {escaped(item.says)}"
    if one.balance is not None:
        yield ""
        yield from _balance(one.balance)
    for text in one.against:
        yield f"\n> Against: {escaped(text)}"
    for number, fix in enumerate(one.fixes, 1):
        yield from _fix(number, fix)


def _balance(balance: Balance) -> Iterator[str]:
    parts = (
        ("live tensors", balance.allocated_bytes),
        ("in private pools", balance.private_pool_bytes),
        ("cached by PyTorch", balance.cached_bytes),
        ("not PyTorch's", balance.not_pytorch_bytes),
        ("other processes", balance.others_bytes),
        ("nobody's by name", balance.unattributed_bytes),
        ("free", balance.free_bytes),
    )
    yield "| where the memory was | |"
    yield "|---|--:|"
    for name, amount in parts:
        if amount is not None:
            yield f"| {name} | {amount_text(amount)} |"
    yield f"| **the card** | **{amount_text(balance.total_bytes)}** |"
    if balance.tried_bytes is not None:
        yield f"| the request | {amount_text(balance.tried_bytes)} |"


def _fix(number: int, fix: Fix) -> Iterator[str]:
    worth = ""
    if fix.recovers_bytes is not None:
        worth = f": recovers {amount_text(fix.recovers_bytes)}"
        worth += f" of the {amount_text(fix.short_bytes)} short" if fix.short_bytes else ""
    yield f"\n{number}. {escaped(fix.title)}{worth}" + (f" (costs: {escaped(fix.cost)})" if fix.cost else "")
    if fix.command is not None:
        flat = " ".join(clean(fix.command).split())
        fence = "`" * max(3, max((len(run) for run in re.findall(r"`+", flat)), default=0) + 1)
        yield f"\n   {fence}\n   {flat}\n   {fence}"

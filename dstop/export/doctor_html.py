"""The incident report as one page: it opens without a network, and runs nothing but its own few lines.

Whatever an incident holds is text: it is escaped where it is written, and the page's policy lets no other style,
script, picture or connection be.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from dstop.doctor.rules import rule_of
from dstop.draw.balance_bar import amount_text
from dstop.draw.line import clean
from dstop.export.doctor_page import SCRIPT, STYLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.model.diagnosis import Balance, Diagnosis, Evidence, Fix, Report

_WIDTH = 1000.0
_VERSION = "https://www.w3.org/2000/svg"


class _Part(NamedTuple):
    """A part of the balance sheet: its name, its bytes, and the key of its colour."""

    name: str
    amount: int
    key: str


def report_html(report: Report) -> str:
    """Write the page."""
    first = report.diagnoses[0] if report.diagnoses else None
    title = "No failure that dstop knows was found" if first is None else first.title
    body = [f"<header>{_head(first, title)}</header>"]
    if first is not None:
        body += _diagnosis(first)
    if report.diagnoses[1:]:
        body.append("<h2>If not that</h2>")
    for other in report.diagnoses[1:]:
        body.append(f"<details><summary>{_text(other.title)} ({other.confidence})</summary>")
        body += [*_diagnosis(other), "</details>"]
    body += _around(report)
    return _page(title, "\n".join(body))


def _page(title: str, body: str) -> str:
    own = f"style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}"
    policy = f"default-src 'none'; {own}; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}: dstop doctor</title>\n<style>{STYLE}</style></head>\n"
        f"<body><main>\n{body}\n"
        '<footer class="meta">Written by dstop doctor. Every figure names where it was found.</footer>\n'
        f"</main><script>{SCRIPT}</script></body></html>\n"
    )


def _hash(text: str) -> str:
    """Give what a Content-Security-Policy names inline text by (W3C, CSP level 3, section 6.7.3)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _text(text: str) -> str:
    """Write text from outside as text, wherever it stands in the page."""
    return escape(" ".join(clean(text).split()), quote=True)


def _head(one: Diagnosis | None, title: str) -> str:
    if one is None:
        return f"<h1>{_text(title)}</h1>"
    where = [
        one.phase,
        None if one.rank is None else f"rank {one.rank} failed first",
        None if one.device is None else f"cuda:{one.device}",
    ]
    words = ", ".join(_text(part) for part in where if part)
    cause = _text(one.cause + (f" ({one.subcause})" if one.subcause else ""))
    return (
        f'<span class="badge {one.confidence}">{one.confidence}</span><h1>{_text(title)}</h1>'
        f'<p class="meta">{_text(one.rule)} {cause}{"; " + words if words else ""}</p>'
    )


def _diagnosis(one: Diagnosis) -> Iterator[str]:
    yield '<h2>What proves it</h2><ul class="evidence">'
    yield from (_evidence(item) for item in one.evidence)
    yield "</ul>"
    if one.balance is not None and one.balance.total_bytes:
        yield _balance(one.balance, one.balance.total_bytes)
    for text in one.against:
        yield f'<p class="against">✗ {_text(text)}</p>'
    if one.fixes:
        yield "<h2>What helps, the smallest change first</h2><ol>"
        yield from (_fix(fix) for fix in one.fixes)
        yield "</ol>"
    rule = rule_of(one.rule)
    if rule is not None:
        told = f"<summary>How it was told: {_text(rule.id)} {_text(rule.name)}</summary>"
        yield f'<details>{told}<div class="page">{escape(rule.text, quote=True)}</div></details>'


def _evidence(item: Evidence) -> str:
    return f'<li><span class="place">{_text(item.source)}</span><span class="says">{_text(item.says)}</span></li>'


def _fix(fix: Fix) -> str:
    worth = ""
    if fix.recovers_bytes is not None:
        role = ' class="enough"' if fix.is_enough else ""
        short = f" of the {amount_text(fix.short_bytes)} short" if fix.short_bytes else ""
        worth = f": <span{role}>recovers {amount_text(fix.recovers_bytes)}{short}</span>"
    command = "" if fix.command is None else f'<pre class="command"><code>{_text(fix.command)}</code></pre>'
    cost = f'<span class="cost">costs: {_text(fix.cost)}</span>' if fix.cost else ""
    return f"<li>{_text(fix.title)}{worth}{command}{cost}</li>"


def _balance(balance: Balance, total: int) -> str:
    parts = [part for part in _parts(balance) if part.amount > 0]
    drawn: list[str] = []
    left = 0.0
    for part in parts:
        width = min(_WIDTH - left, _WIDTH * part.amount / total)
        drawn.append(f'<rect class="k-{part.key}" x="{left:.2f}" y="0" width="{width:.2f}" height="38"/>')
        left += width
    label = "; ".join(f"{part.name} {amount_text(part.amount)}" for part in parts)
    legend = "".join(_legend(part) for part in parts)
    asked = "" if balance.tried_bytes is None else f", {amount_text(balance.tried_bytes)} was asked for"
    return (
        "<h2>Where the memory was</h2><figure>"
        f'<svg xmlns="{_VERSION}" viewBox="0 0 {_WIDTH:.0f} 38" preserveAspectRatio="none"'
        f' role="img" aria-label="{escape(label)}">{"".join(drawn)}</svg>'
        f'<ul class="legend">{legend}</ul><figcaption>{amount_text(total)} on the card{asked}</figcaption></figure>'
    )


def _legend(part: _Part) -> str:
    key = f'<span class="key k-{part.key}"></span>'
    return f"<li>{key}<b>{amount_text(part.amount)}</b><span>{part.name}</span></li>"


def _parts(balance: Balance) -> Iterator[_Part]:
    yield _Part("live tensors", balance.allocated_bytes or 0, "a")
    yield _Part("in private pools", balance.private_pool_bytes or 0, "b")
    yield _Part("cached by PyTorch", balance.cached_bytes or 0, "c")
    yield _Part("not PyTorch's", balance.not_pytorch_bytes or 0, "n")
    yield _Part("other processes", balance.others_bytes or 0, "o")
    yield _Part("nobody's by name", balance.unattributed_bytes or 0, "u")
    yield _Part("free", balance.free_bytes or 0, "f")


def _around(report: Report) -> Iterator[str]:
    facts = [(name, value) for name, value in report.facts.items() if value is not None]
    if facts:
        rows = "".join(_row(name, value) for name, value in facts)
        yield f"<details><summary>Facts</summary><table>{rows}</table></details>"
    if report.notes:
        yield "<h2>What could not be read, or only in part</h2><ul>"
        yield from (f"<li>{_text(note)}</li>" for note in report.notes)
        yield "</ul>"
    if report.sources:
        yield f'<p class="meta">Read: {", ".join(_text(name) for name in report.sources)}</p>'


def _row(name: str, value: float | str) -> str:
    shown = f"{value:,}" if isinstance(value, int) else str(value)
    return f'<tr><td class="name">{_text(name)}</td><td>{_text(shown)}</td></tr>'

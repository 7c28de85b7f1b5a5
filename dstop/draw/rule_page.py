"""The page of a rule, and the catalogue of all."""

from __future__ import annotations

import textwrap
from itertools import groupby
from typing import TYPE_CHECKING

from dstop.doctor.rule import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.doctor.rule import Rule
    from dstop.draw.line import Line

_WIDEST = 100


def page_lines(rule: Rule, width: int) -> list[Line]:
    """Draw the page: the rule's docstring, its sections as headings, its text wrapped."""
    width = max(40, min(width, _WIDEST))
    lines: list[Line] = [
        ((f"{rule.id} {rule.name}", "group"),),
        ((rule.title, "title"),),
        ((f"cause: {rule.cause}", "dim"),),
    ]
    for block in rule.text.split("\n\n"):
        head, *body = block.splitlines()
        if body and not head.startswith(" "):
            lines += [(), ((head, "label"),)]
        else:
            body = [head, *body]
        text = " ".join(part.strip() for part in body)
        lines += [
            ((part, ""),)
            for part in textwrap.wrap(
                text, width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
            )
        ]
    return [*lines, ()]


def catalogue_lines(rules: Sequence[Rule], width: int) -> list[Line]:
    """Draw one line a rule, under the name of its family."""
    lines: list[Line] = []
    names = max(len(rule.name) for rule in rules)
    for family, members in groupby(rules, key=lambda rule: rule.id[2]):
        lines += [((FAMILIES[family], "group"),)]
        for rule in members:
            room = max(20, width - names - 11)
            title = textwrap.shorten(rule.title, room, placeholder=" …")
            lines.append((("  ", ""), (rule.id, "title"), (f"  {rule.name:<{names}}  ", "dim"), (title, "")))
        lines.append(())
    return [*lines, (("dstop explain DS201 prints a rule's page", "dim"),)]


def catalogue_markdown(rules: Sequence[Rule]) -> str:
    """Write the table that README has."""
    rows = [f"| {rule.id} | {rule.name} | {rule.title} | `{rule.cause}` |" for rule in rules]
    return "\n".join(("| rule | name | what it finds | cause |", "|---|---|---|---|", *rows))

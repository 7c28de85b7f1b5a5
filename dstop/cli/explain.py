"""`dstop explain`: a rule's page, or the list of all rules."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dstop.cli import terminal
from dstop.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


def explain_verb(name: str | None, options: Mapping[str, Any]) -> None:
    """Print the page of a rule, or of the rules of a cause; without a name, the catalogue.

    Raises:
        UsageError: when there is no such rule.
    """
    from dstop.cli.doctor import write_lines  # noqa: PLC0415 - a verb loads what it needs
    from dstop.doctor.plugged import page_of, plugged  # noqa: PLC0415 - as above
    from dstop.doctor.rules import RULES  # noqa: PLC0415 - as above
    from dstop.draw.rule_page import catalogue_lines, page_lines  # noqa: PLC0415 - as above

    of_plugins = () if options["markdown"] else plugged().rules
    chosen = sorted((*RULES, *of_plugins), key=lambda one: (one.id[2:], one.id))
    if name is not None:
        rule = page_of(name)
        chosen = [rule] if rule is not None else [one for one in chosen if one.cause == name.strip().lower()]
        if not chosen:
            raise UsageError(f"there is no rule {name[:40]!r}", fix="dstop explain lists them all")
    if options["markdown"]:
        from dstop.draw.rule_page import catalogue_markdown  # noqa: PLC0415 - as above

        terminal.write((catalogue_markdown(chosen) + "\n").encode())
        return
    if options["json"]:
        rows = [
            {"rule": one.id, "name": one.name, "cause": one.cause, "title": one.title, "page": one.text}
            for one in chosen
        ]
        terminal.write((json.dumps({"schema": 1, "rules": rows}) + "\n").encode())
        return
    if name is None:
        write_lines(lambda width: catalogue_lines(chosen, width), options)
        return
    write_lines(lambda width: [line for rule in chosen for line in page_lines(rule, width)], options)

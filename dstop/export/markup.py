"""HTML that is put together and never pasted: whatever is no Markup is text, and is escaped."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from dstop.draw.line import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

_VOID = frozenset({"meta"})
"""Of HTML; what is empty in SVG needs its end."""
LONGEST = 20_000
"""Characters of one text; a log line that is longer tells no more."""


class Markup(str):
    """What is HTML already; only the functions of this module make it, of fixed names and escaped text."""

    __slots__ = ()


def element(name: str, /, *content: str | None, **attributes: str | float | None) -> Markup:
    """Make an element.

    Args:
        name: of the element, out of our own source.
        content: Markup as it is, other text escaped, None left out.
        attributes: `class_` and `aria_label` for names that Python cannot write; None leaves one out, "" has no value.
    """
    opened = f"<{name}{''.join(map(_attribute, attributes.items()))}>"
    return Markup(opened if name in _VOID else f"{opened}{joined(content)}</{name}>")


def joined(parts: Iterable[str | None]) -> Markup:
    """Put parts after each other."""
    return Markup(
        "".join(part if isinstance(part, Markup) else escaped(part) for part in parts if part is not None)
    )


def escaped(text: str) -> Markup:
    """Make text harmless: no tag, no attribute, no control, nothing that reorders or hides what stands beside it."""
    shown = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return Markup("\n".join(html.escape(clean(line)) for line in shown.split("\n")))


def one_line(text: str) -> str:
    """Give text with every run of white space as one blank."""
    return " ".join(text.split())


def _attribute(pair: tuple[str, str | float | None]) -> str:
    name, value = pair
    name = name.rstrip("_").replace("_", "-")
    if value is None:
        return ""
    return f" {name}" if value == "" else f' {name}="{escaped(one_line(str(value)))}"'

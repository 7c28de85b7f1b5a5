"""Text from outside within Markdown: it is shown as it is, means nothing, and calls nobody.

GitHub links @names, #numbers and addresses after it has undone escapes and entities (its HTML filters run last), so an
invisible blank is put into them; in code it leaves them alone.
"""

from __future__ import annotations

import re

from dstop.draw.line import clean

LONGEST = 4000
"""Characters of one text: an issue has room for 65,536."""

_BLANK = "\u200b"
_SPECIAL = re.compile(r"[\\`*\[<|#~&$]|(?<![^\W_])_+|_+(?![^\W_])")
_CALLS = re.compile(
    r"@(?=\w)|\\#(?=\w)|\bGH-(?=\d)|:(?=//)|\bwww(?=\.)|:(?=[a-z0-9_+-]{1,64}:)", re.IGNORECASE
)
_START = re.compile(r"\d{1,9}(?=[.)](?: |$))|(?=[-+=>])")
"""What would begin a list, an underline or a quotation."""
_TICKS = re.compile(r"`+")
_ENTITIES = {"<": "&lt;", "&": "&amp;", "$": "&dollar;", "|": "&vert;"}


def escaped(text: str) -> str:
    """Give text for a paragraph, a heading, a list or a cell of a table; in one line."""
    text = _one_line(text)
    text = _SPECIAL.sub(_escape, text)
    text = _CALLS.sub(lambda found: found[0] + _BLANK, text)
    start = _START.match(text)
    return text if start is None else f"{start[0]}\\{text[start.end() :]}"


def code(text: str) -> str:
    """Give text as a span of code, in one line; not for the cell of a table, which a bar within would part."""
    text = _one_line(text)
    ticks = "`" * (max(map(len, _TICKS.findall(text)), default=0) + 1)
    pad = " " if not text or "`" in (text[0], text[-1]) else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def fenced(text: str, indent: str = "") -> list[str]:
    """Give text as a block of code that nothing within it can end."""
    lines = [clean(line) for line in _cut(text).splitlines()] or [""]
    longest = max((len(run) for line in lines for run in _TICKS.findall(line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{indent}{line}".rstrip() for line in (fence, *lines, fence)]


def _one_line(text: str) -> str:
    return " ".join(clean(_cut(text)).split())


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _escape(found: re.Match[str]) -> str:
    return "".join(_ENTITIES.get(char) or f"\\{char}" for char in found[0])

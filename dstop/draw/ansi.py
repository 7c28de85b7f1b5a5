"""Lines to text for a pipe or a scrolling terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.palette import ANSI

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dstop.draw.line import Line


def render(lines: Iterable[Line], *, color: bool) -> str:
    """Write the lines, each ended by a newline and without blanks at its end."""
    out = []
    for line in lines:
        if not color:
            out.append("".join(text for text, _ in line).rstrip())
            continue
        pieces = []
        for text, role in line:
            code = ANSI.get(role)
            pieces.append(f"\x1b[{code}m{text}\x1b[0m" if code and text.strip() else text)
        out.append("".join(pieces).rstrip())
    return "\n".join(out) + "\n" if out else ""

"""The first frame, painted before Textual is there.

Importing Textual takes longer than reading eight GPUs. The same pure functions draw the same screen with plain escape
codes in the meantime, so that the answer stands there at once; Textual then paints over it, cell for cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.ascii import ascii_line
from dstop.draw.palette import PALETTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.draw.line import Line

ENTER = "\x1b[?1049h\x1b[?25l\x1b[H"
LEAVE = "\x1b[?25h\x1b[?1049l"
_RESET = "\x1b[0m"


def painted(
    lines: Sequence[Line],
    theme: str,
    environ: Mapping[str, str],
    *,
    marked: int | None = None,
    ascii_only: bool = False,
) -> str:
    """Give the escape codes that fill an alternate screen with these lines."""
    codes = _codes(theme, truecolor=environ.get("COLORTERM", "") in {"truecolor", "24bit"})
    rows = []
    for y, line in enumerate(lines):
        shown = ascii_line(line) if ascii_only else line
        rows.append(
            "".join(codes["selected" if y == marked else role] + text for text, role in shown if text)
        )
    return ENTER + "\r\n".join(row + _RESET for row in rows)


def _codes(theme: str, *, truecolor: bool) -> Mapping[str, str]:
    palette = PALETTES[theme]
    ground = palette[""]
    return {role: _sgr(ground, text, truecolor=truecolor) for role, text in palette.items()}


def _sgr(ground: str, style: str, *, truecolor: bool) -> str:
    """Turn `bold #aabbcc on #112233`, laid over the ground's colours, into one escape code."""
    codes = ["0"]
    for text in (ground, style):
        front, _, back = text.partition(" on ")
        for word in front.split():
            code = {"bold": "1", "dim": "2", "underline": "4", "reverse": "7"}.get(word)
            if code is not None:
                codes.append(code)
            elif word.startswith("#"):
                codes.append("38;" + _colour(word, truecolor=truecolor))
        if back.startswith("#"):
            codes.append("48;" + _colour(back, truecolor=truecolor))
    return f"\x1b[{';'.join(codes)}m"


def _colour(text: str, *, truecolor: bool) -> str:
    """Give 24-bit colour where the terminal has it, else the nearest of the 6 x 6 x 6 cube of 256-colour terminals."""
    red, green, blue = (int(text[place : place + 2], 16) for place in (1, 3, 5))
    if truecolor:
        return f"2;{red};{green};{blue}"
    steps = [0 if part < 48 else 1 if part < 115 else (part - 35) // 40 for part in (red, green, blue)]  # noqa: PLR2004
    return f"5;{16 + 36 * steps[0] + 6 * steps[1] + steps[2]}"

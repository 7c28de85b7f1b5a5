"""The same lines for terminals and pipes that have ASCII alone."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from dstop.draw.line import cells

if TYPE_CHECKING:
    from dstop.draw.line import Line

_TABLE = {
    "█": "#", "▓": "%", "▒": "?", "░": ":", "·": ".", "─": "-", "│": "|", "├": "|", "└": "`", "╰": "`", "╭": ",",
    "╮": ".", "╯": "'", "┌": "+", "┐": "+", "┘": "+", "┬": "+", "┴": "+", "┼": "+", "━": "=", "▏": "|", "▎": "|",
    "▍": "|", "▌": "|", "▋": "|", "▊": "|", "▉": "|", "▁": "_", "▂": ".", "▃": "-", "▄": "=", "▅": "=", "▆": "=",
    "▇": "#", "–": "-", "—": "-", "…": "~", "°": " ", "×": "x", "▲": "^", "▼": "v", "●": "*", "○": "o", "•": "*",
    "→": ">", "←": "<", "↑": "^", "↓": "v", "≥": ">", "≤": "<", "✓": "v", "✗": "x", "⚠": "!", "�": "?", "µ": "u",
    "▸": ">", "◂": "<", "▾": "v", "◆": "*", "▚": "&", "␣": " ", "╬": "=", "\u2573": "X", "┊": ":", "┤": "|", "╷": "'",
    "┃": "!", "╌": "~",
}  # fmt: skip
_BRAILLE = range(0x2800, 0x2900)
_BRAILLE_LEVELS = " .::-=+*#"


@lru_cache(maxsize=1024)
def ascii_text(text: str) -> str:
    """Write a text in ASCII, cell for cell."""
    if text.isascii():
        return text
    out = []
    for char in text:
        if char.isascii():
            out.append(char)
        elif ord(char) in _BRAILLE:
            out.append(_BRAILLE_LEVELS[(ord(char) - _BRAILLE.start).bit_count()])
        else:
            out.append(_TABLE.get(char, "?" * cells(char)))
    return "".join(out)


def ascii_line(line: Line) -> Line:
    """Write a line in ASCII, cell for cell."""
    return tuple((ascii_text(text), role) for text, role in line)

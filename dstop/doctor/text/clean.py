"""Bytes of a log into lines fit to be matched and shown: no escape sequences, no controls, no progress bars twice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dstop.doctor.text.long_line import LONGEST_BYTES, telling_pieces
from dstop.doctor.text.values import LogLine

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BLANK_LINES = 8
"""In a row; the numbers of the lines tell of the others."""

_ESCAPES = (
    r"\x1b\[[0-?]{0,64}[ -/]{0,8}[@-~]?"  # CSI: colours, the cursor
    r"|\x1b[\]PX^_][^\x07\x1b\n]{0,4096}(?:\x07|\x1b\\)?"  # OSC and its kin: titles, links
    r"|\x1b[ -/]{0,4}[0-~]?"
    r"|\x9b[0-?]{0,64}[ -/]{0,8}[@-~]?"
)
_RETURNS = rb"[\r\b]+"
_MOVING = r"[\W\d_]+"
"""Expressions are compiled when they are first needed: most small logs need none."""


class Lines:
    """The lines of a log, stretch by stretch, and what had to be left out of them."""

    def __init__(self) -> None:
        self.kept: list[LogLine] = []
        self.blank = 0
        """Blank lines that were left out."""
        self.long: set[int] = set()
        """Lines of which only pieces were kept, by number."""

    def add(self, data: bytes, first_number: int) -> None:
        """Add a stretch whose first line has this number; its last line need not end."""
        blank = 0
        for number, (start, end) in enumerate(_bounds(data), first_number):
            pieces = self._pieces(data[start:end], number) if end > start else [""]
            blank = 0 if any(pieces) else blank + 1
            if blank > MOST_BLANK_LINES:
                self.blank += 1
                continue
            self.kept += [LogLine(number=number, text=piece) for piece in pieces]

    def notes(self) -> tuple[str, ...]:
        """Say what was left out."""
        said: list[str] = []
        if self.long:
            them = "line" if len(self.long) == 1 else "lines"
            said.append(
                f"Of {len(self.long):,} very long {them} only what lies around telling words was read."
            )
        if self.blank:
            said.append(f"{self.blank:,} blank {'line was' if self.blank == 1 else 'lines were'} left out.")
        return tuple(said)

    def _pieces(self, line: bytes, number: int) -> list[str]:
        """Give what carriage returns part; of a progress bar's states that follow each other only the last."""
        if len(line) <= LONGEST_BYTES and b"\r" not in line and b"\b" not in line:
            return [clean(line)]
        kept: list[str] = []
        last_shape = None
        for segment in filter(None, re.split(_RETURNS, line)):
            if len(segment) > LONGEST_BYTES:
                self.long.add(number)
                kept += filter(None, map(clean, telling_pieces(segment)))
                last_shape = None
            elif text := clean(segment):
                shape = _shape(text)
                if shape == last_shape:
                    kept.pop()
                kept.append(text)
                last_shape = shape
        return kept or [""]


def clean(data: bytes) -> str:
    """Decode, and make harmless: escape sequences go, what does not print becomes a space."""
    text = data.decode(errors="replace")
    if text.isprintable():
        return text.rstrip()
    if "\x1b" in text or "\x9b" in text:
        text = re.sub(_ESCAPES, "", text)
    text = text.replace("\0", "")  # UTF-16 that was appended to a file of another encoding
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text.rstrip()


def _bounds(data: bytes) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        if end < 0:
            end = len(data)
        yield start, end
        start = end + 1


def _shape(text: str) -> str:
    """Give what of a progress bar does not move: its words; a text without a figure is itself."""
    return re.sub(_MOVING, " ", text) if any(map(str.isdecimal, text)) else text

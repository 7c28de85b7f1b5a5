"""The text a terminal shows after all that a program wrote: enough of an emulator for curses and Textual.

Programs repaint only the cells that changed, so what stands there cannot be read from the stream alone.
"""

from __future__ import annotations

import codecs
import re

TOKEN = re.compile(
    r"\x1b\[(?P<private>[<-?]?)(?P<numbers>[0-9;:]{0,64})(?P<between>[ -/]*)(?P<final>[@-~])"
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1bP.*?\x1b\\"
    r"|\x1b[()*+#%][ -~]|\x1b(?P<letter>[@-OQ-Z\\^_=>0-9a-z])"
    r"|(?P<text>[^\x00-\x1f\x7f]+)|(?P<control>[\x00-\x1a\x1c-\x1f\x7f])",
    re.DOTALL,
)
PARTIAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[()*+#%]|\][^\x07\x1b]*\x1b?|P.*)?\Z", re.DOTALL)
LONGEST = 4096
"""A sequence that has not ended by then is none."""
TAB = 8


class Screen:
    """Cells of characters and a cursor; colours are passed over."""

    def __init__(self, columns: int, rows: int) -> None:
        self._rest = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.resize(columns, rows)

    def resize(self, columns: int, rows: int) -> None:
        """Start over with another size: every program repaints all of it then."""
        self.columns, self.rows = columns, rows
        self._cells = [[" "] * columns for _ in range(rows)]
        self._x = self._y = self._top = 0
        self._bottom = rows - 1
        self._last = " "
        self._saved = (0, 0)

    def lines(self) -> list[str]:
        """Give the rows as text."""
        return ["".join(row).rstrip() for row in self._cells]

    def feed(self, data: bytes) -> None:
        """Take what a program wrote; a sequence cut in two waits for its rest."""
        text = self._rest + self._decoder.decode(data)
        at = 0
        while at < len(text):
            match = TOKEN.match(text, at)
            if match is None and len(text) - at < LONGEST and PARTIAL.match(text, at):
                break
            if match is None:
                at += 1
                continue
            at = match.end()
            if match["text"]:
                self._write(match["text"])
            elif match["final"] and not match["private"] and not match["between"]:
                self._sequence(
                    match["final"], [int(n) if n else 0 for n in re.split("[;:]", match["numbers"])]
                )
            elif match["control"] or match["letter"]:
                self._control(match["control"] or match["letter"])
        self._rest = text[at:]

    def _write(self, text: str) -> None:
        for character in text:
            if self._x >= self.columns:
                self._x = 0
                self._down()
            self._cells[self._y][self._x] = self._last = character
            self._x += 1

    def _down(self) -> None:
        if self._y == self._bottom:
            self._scroll(self._top, 1)
        else:
            self._y = min(self._y + 1, self.rows - 1)

    def _scroll(self, top: int, count: int) -> None:
        """Move the lines from `top` to the end of the region up (down, when negative), blanks following."""
        region = self._cells[top : self._bottom + 1]
        blank = [[" "] * self.columns for _ in range(min(abs(count), len(region)))]
        moved = region[len(blank) :] + blank if count > 0 else blank + region[: len(region) - len(blank)]
        self._cells[top : self._bottom + 1] = moved

    def _control(self, character: str) -> None:
        if character == "\r":
            self._x = 0
        elif character in "\n\x0b\x0cD":
            self._down()
        elif character == "\b":
            self._x = max(0, self._x - 1)
        elif character == "\t":
            self._x = min(self.columns - 1, (self._x // TAB + 1) * TAB)
        elif character == "M" and self._y == self._top:
            self._scroll(self._top, -1)
        elif character == "M":
            self._y = max(0, self._y - 1)
        elif character == "7":
            self._saved = (self._x, self._y)
        elif character == "8":
            self._x, self._y = self._saved

    def _sequence(self, final: str, numbers: list[int]) -> None:
        count = max(1, numbers[0])
        if final in "ABCDEFGHdf`ae":
            self._move(final, numbers, count)
        elif final == "r":
            self._bottom = min(self.rows, numbers[1] if len(numbers) > 1 and numbers[1] else self.rows) - 1
            self._top = min(count - 1, self._bottom)
            self._x = self._y = 0
        elif final in "JK":
            self._erase(final, numbers[0])
        elif final in "LM" and self._top <= self._y <= self._bottom:
            self._scroll(self._y, count if final == "M" else -count)
        elif final in "ST":
            self._scroll(self._top, count if final == "S" else -count)
        elif final == "b":
            self._write(self._last * min(count, self.columns * self.rows))
        elif final in "@PX":
            self._shift(final, min(count, self.columns))

    def _move(self, final: str, numbers: list[int], count: int) -> None:
        if final in "Hf":
            self._y = count - 1
            self._x = max(1, numbers[1] if len(numbers) > 1 else 1) - 1
        elif final in "G`":
            self._x = count - 1
        elif final == "d":
            self._y = count - 1
        elif final in "CaD":
            self._x += -count if final == "D" else count
        else:
            self._y += -count if final in "AF" else count
            self._x = 0 if final in "EF" else self._x
        self._x = min(max(0, self._x), self.columns - 1)
        self._y = min(max(0, self._y), self.rows - 1)

    def _erase(self, final: str, how: int) -> None:
        first = 0 if how else self._x
        last = min(self._x + 1, self.columns) if how == 1 else self.columns
        self._cells[self._y][first:last] = [" "] * (last - first)
        if final == "J":
            above, below = range(self._y), range(self._y + 1, self.rows)
            for y in (*(above if how else ()), *(below if how != 1 else ())):
                self._cells[y] = [" "] * self.columns

    def _shift(self, final: str, count: int) -> None:
        row, x = self._cells[self._y], min(self._x, self.columns - 1)
        blank = [" "] * count
        if final == "X":
            row[x : x + count] = [" "] * min(count, self.columns - x)
        elif final == "P":
            self._cells[self._y] = (row[:x] + row[x + count :] + blank)[: self.columns]
        else:
            self._cells[self._y] = (row[:x] + blank + row[x:])[: self.columns]

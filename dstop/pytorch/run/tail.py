"""The last lines of what a command wrote, kept as cheaply as the copying itself."""

from __future__ import annotations

import re
import threading
from collections import deque

MOST_BYTES = 256 << 10
_LONGEST_LINE = 4096

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
"""Colours, cursor movements and titles: ECMA-48, 5.4 and 8.3.89."""


class Tail:
    """Remembers the end of all streams of a command, in the order in which they were read.

    It holds the pieces as they came and looks into them only when they are too many: then whole pieces that lie
    before the last lines go, and if that is not enough, each line is cut down to what a terminal would show of it.
    """

    def __init__(self, most_lines: int, most_bytes: int = MOST_BYTES) -> None:
        self.most_lines = most_lines
        self._most_bytes = most_bytes
        self._pieces: deque[bytes] = deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def add(self, piece: bytes) -> None:
        """Remember a piece of output; threads may call it at the same time."""
        with self._lock:
            self._pieces.append(piece)
            self._bytes += len(piece)
            if self._bytes > 2 * self._most_bytes:
                self._shrink()

    def lines(self) -> tuple[str, ...]:
        """Give the last lines as text, without what the terminal would not show; an unfinished one counts."""
        with self._lock:
            data = b"".join(self._pieces)
        shown = _shown(data, self.most_lines)[-self._most_bytes :]
        if not shown:
            return ()
        lines = shown.removesuffix(b"\n").split(b"\n")[-self.most_lines :]
        return tuple(_ESCAPES.sub("", line.rstrip(b"\r").decode(errors="replace")) for line in lines)

    def _shrink(self) -> None:
        self._drop_old()
        if self._bytes <= self._most_bytes:
            return
        shown = _shown(b"".join(self._pieces), self.most_lines)[-self._most_bytes :]
        self._pieces = deque([shown])
        self._bytes = len(shown)

    def _drop_old(self) -> None:
        """Keep from the end the pieces that hold one line end more than is asked for."""
        ends = held = kept = 0
        for piece in reversed(self._pieces):
            if ends > self.most_lines:
                break
            ends += piece.count(b"\n")
            held += len(piece)
            kept += 1
        while len(self._pieces) > kept:
            self._pieces.popleft()
        self._bytes = held


def _shown(data: bytes, most_lines: int) -> bytes:
    r"""Give the last lines as a terminal leaves them: what stands after the last `\r` of a line, cut to a bound."""
    lines = data.rsplit(b"\n", most_lines + 1)[-(most_lines + 1) :]
    return b"\n".join(_collapsed(line) for line in lines)


def _collapsed(line: bytes) -> bytes:
    end = b"\r" if line.endswith(b"\r") else b""
    last = line.rstrip(b"\r").rpartition(b"\r")[2]
    return (last if len(last) <= _LONGEST_LINE else b"... " + last[4 - _LONGEST_LINE :]) + end

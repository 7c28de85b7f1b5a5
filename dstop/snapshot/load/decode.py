"""Opcodes with their arguments, as bytes, to what they stand for; each distinct one once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dstop.snapshot.load.columns import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

MOST_KEPT = 200_000
_LONG1 = 0x8A
_HEAD = {"K": 1, "M": 1, "J": 1, "h": 1, "j": 1, "q": 1, "r": 1}
_LONG_GET_BYTES = 5
_TEXT_HEAD = {b"\x8c": 2, b"X": 5}


def whole_of(raw: bytes) -> int:
    """Give the number of BININT, BININT1, BININT2 or LONG1; 0 for one that is negative, too large, or missing."""
    if not raw:
        return 0
    if raw[0] == _LONG1:
        return whole(int.from_bytes(raw[2:], "little", signed=True))
    return whole(int.from_bytes(raw[1:], "little", signed=raw[:1] == b"J"))


def number_of(raw: bytes) -> int:
    """Give the number of a reference (BINGET, LONG_BINGET) or of a numbering (BINPUT, LONG_BINPUT)."""
    return int.from_bytes(raw[1:], "little")


def numbers_of(raw: Sequence[bytes]) -> NDArray[np.int64]:
    """Give the numbers of many references."""
    if not raw:
        return np.empty(0, np.int64)
    joined = b"".join(raw)
    if len(joined) == _LONG_GET_BYTES * len(raw) and joined[::_LONG_GET_BYTES] == b"j" * len(raw):
        table = np.frombuffer(joined, np.uint8).reshape(-1, _LONG_GET_BYTES)
        return np.ascontiguousarray(table[:, 1:]).view("<u4").reshape(-1).astype(np.int64)
    return np.fromiter(map(number_of, raw), np.int64, len(raw))


def text_of(raw: bytes) -> str:
    """Give the text of SHORT_BINUNICODE or BINUNICODE."""
    return raw[_TEXT_HEAD[raw[:1]] :].decode("utf-8", "replace")


class Numbers(dict[bytes | None, int]):
    """Bytes -> number, computed when first asked for."""

    def __init__(self, compute: Callable[[bytes], int]) -> None:
        super().__init__()
        self._compute = compute

    def __missing__(self, raw: bytes) -> int:
        if len(self) >= MOST_KEPT:
            self.clear()
        number = self._compute(raw)
        if number >= 0:  # Others are not known yet.
            self[raw] = number
        return number


class Wholes:
    """Columns of whole numbers: by numpy where all are of one length, by look-up where they repeat."""

    def __init__(self) -> None:
        self._known = Numbers(whole_of)

    def column(self, raw: Sequence[bytes]) -> NDArray[np.int64]:
        """Give the numbers of a column."""
        size = len(raw[0])
        if size > 5 and raw[0][0] == _LONG1:  # noqa: PLR2004 - addresses and times differ, and are as long as each other
            joined = b"".join(raw)
            if len(joined) == size * len(raw):
                table = np.frombuffer(joined, np.uint8).reshape(-1, size)
                head = np.frombuffer(raw[0][:2], np.uint8)
                if (table[:, :2] == head).all() and size - 2 <= 8 and (table[:, -1] < 128).all():  # noqa: PLR2004 - no sign
                    wide = np.zeros((len(raw), 8), np.uint8)
                    wide[:, : size - 2] = table[:, 2:]
                    return wide.view("<i8").reshape(-1)
        if raw.count(raw[0]) == len(raw):
            return np.full(len(raw), self._known[raw[0]], np.int64)
        return np.fromiter(map(self._known.__getitem__, raw), np.int64, len(raw))

    def pair(self, raw: bytes) -> tuple[int, int]:
        """Give the numbers of a pair: two of BININT, BININT1, BININT2, and TUPLE2."""
        sizes = {b"K": 2, b"M": 3, b"J": 5}
        cut = sizes[raw[:1]]
        return whole_of(raw[:cut]), whole_of(raw[cut:-1])

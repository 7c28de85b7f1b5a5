"""The bytes of a snapshot file, through a window that moves: no file is ever in memory as a whole."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from dstop.errors import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Callable

PIECE_BYTES = 4 << 20
"""How much is read at once."""
MOST_BYTES = 64 << 30
"""After decompression: five million events with deep stacks are a few GiB."""
LONGEST_TEXT_BYTES = 16 << 20

_GZIP, _ZIP, _ZSTD = b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd"
_PROTO, _FRAME, _HEADER_BYTES = b"\x80\x04", b"\x95", 9
CUT_OFF = "it was cut off: dump it again, or copy it again from where it was written"


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Source:
    """A window (`buf`) and a place in it (`pos`); what is before the place may be forgotten when more is read."""

    def __init__(self, file: BinaryIO, progress: Callable[[int], None] | None = None) -> None:
        """Look at the first bytes, to know what kind of file it is.

        Args:
            file: opened for bytes; need not be seekable.
            progress: told how many bytes have been read, after decompression, each time more are.

        Raises:
            SnapshotError: when it is empty, or of a kind that is not read.
        """
        self._progress = progress
        self._file: _Readable = file
        head = self._read(PIECE_BYTES)
        if head.startswith(_GZIP):
            self._file = gzip.GzipFile(fileobj=cast("BinaryIO", _Joined(head, file)))
            head = self._read(PIECE_BYTES)
        if not head:
            raise SnapshotError(
                "the file is empty", fix="dump it again: it may have been cut off at its start"
            )
        for magic, kind, fix in (
            (_ZIP, "a zip archive", "unpack it; torch.save writes such files, and they are no snapshots"),
            (_ZSTD, "compressed with zstd", "unpack it with `zstd -d`"),
        ):
            if head.startswith(magic):
                raise SnapshotError(f"the file is {kind}, and no snapshot", fix=fix)
        self._frames = _Frames(head)
        self.buf = self._frames.unwrap(head)
        self.pos = 0
        self.before = 0
        """How many bytes have left the window: `before + pos` is the place in the pickle."""

    def _read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except EOFError as error:
            raise SnapshotError("the compressed file ends too early", fix=CUT_OFF) from error
        except (zlib.error, gzip.BadGzipFile) as error:
            raise SnapshotError(f"the compressed file is damaged ({error})", fix=CUT_OFF) from error
        except OSError as error:
            raise SnapshotError(
                f"cannot read the file: {error.strerror or error}", fix="check what it is"
            ) from error

    def more(self) -> bool:
        """Read on, and forget what is before the place; say whether there was anything left.

        Raises:
            SnapshotError: when the file cannot be read, or is longer than anything that torch would write.
        """
        piece = b""
        while not piece:
            raw = self._read(PIECE_BYTES)
            piece = self._frames.unwrap(raw) if raw else self._frames.rest()
            if not raw and not piece:
                return False
        self.before += self.pos
        self.buf = self.buf[self.pos :] + piece
        self.pos = 0
        seen = self.before + len(self.buf)
        if seen > MOST_BYTES:
            raise SnapshotError(
                f"it holds more than {MOST_BYTES >> 30} GiB",
                fix="record fewer events (max_entries), and dump again",
            )
        if self._progress is not None:
            self._progress(seen)
        return True

    def take(self, count: int) -> bytes:
        """Give the next bytes.

        Raises:
            SnapshotError: when the file ends before them, or they are more than any text needs.
        """
        if count > LONGEST_TEXT_BYTES:
            raise SnapshotError(
                f"it claims a piece of {count} bytes at byte {self.before + self.pos}; no snapshot has such",
                fix="dump it again: the file is damaged, or was made to harm",
            )
        while len(self.buf) - self.pos < count:
            if not self.more():
                raise SnapshotError(
                    f"it ends in the middle, at byte {self.before + len(self.buf)}", fix=CUT_OFF
                )
        start = self.pos
        self.pos = start + count
        return self.buf[start : self.pos]


class _Frames:
    """Takes the pickle's frames away (protocol 4 and 5): they cut events in two every 64 KiB, and say nothing.

    A frame's length is known, and the next one follows at once; where it does not (a text of 64 KiB stands outside of
    any), what comes is left as it is, and the machine meets the frames itself.
    """

    def __init__(self, head: bytes) -> None:
        framed = head[:1] == b"\x80" and head[2:3] == _FRAME
        self._left = len(_PROTO) if framed else -1
        """Bytes of this frame that are to come; the opcode before the first one is as if it were one. -1: no frames."""
        self._held = b""

    def unwrap(self, raw: bytes) -> bytes:
        """Give what is in the frames of this piece."""
        if self._left < 0:
            return raw
        raw, given, at = self._held + raw, [], 0
        while at < len(raw):
            if self._left:
                given.append(raw[at : at + self._left])
                at += len(given[-1])
                self._left -= len(given[-1])
            elif raw[at : at + 1] != _FRAME:
                self._left = -1
                given.append(raw[at:])
                break
            elif len(raw) - at < _HEADER_BYTES:
                break
            else:
                self._left = int.from_bytes(raw[at + 1 : at + _HEADER_BYTES], "little")
                at += _HEADER_BYTES
        self._held = raw[at:] if self._left >= 0 else b""
        return b"".join(given)

    def rest(self) -> bytes:
        """Give what was held back, when nothing more comes."""
        held, self._held = self._held, b""
        return held


class _Joined:
    """What was read already, and then the rest."""

    def __init__(self, head: bytes, file: BinaryIO) -> None:
        self._head, self._file = head, file

    def read(self, size: int = -1) -> bytes:
        """Give the head first."""
        if not self._head:
            return self._file.read(size)
        given, self._head = (self._head, b"") if size < 0 else (self._head[:size], self._head[size:])
        return given

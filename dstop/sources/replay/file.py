r"""The file of a recording: a line that says what it is, then blocks, each with a header that says when it is.

    dstop recording 1\n
    header (44 bytes, little-endian), zlib stream; header, zlib stream; …

A header has its own checksum, and the times and the weight of its block: seeking reads headers alone. A file that was
cut off ends with its last whole block.
"""

from __future__ import annotations

import os
import stat
import zlib
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from dstop.errors import RecordingError

if TYPE_CHECKING:
    from typing import BinaryIO

VERSION = 1
_WORDS = b"dstop recording "
MAGIC = b"%s%d\n" % (_WORDS, VERSION)
_MOST_MAGIC = 40

_HEADER = Struct("<IIIIqqIII")
"""Bytes packed, bytes unpacked, moments, moments with weight, first and last time (ns), checksum of the packed bytes,
reserved (0), checksum of the header up to here."""
HEADER_BYTES = _HEADER.size
_RESERVED, _RESERVED_AT = bytes(4), HEADER_BYTES - 8
CUT_OFF = "its end is cut off"
SEARCHED_BYTES = 1 << 19
"""How far a damaged header is looked behind for the next one: a block of half a minute is shorter."""
MOST_SEARCHES = 4

MOST_UNPACKED = 8 << 20
"""One moment of two thousand processes that all carry the hook; what a forger can make of it is 200 MB of memory."""
MOST_MOMENTS = 4096
"""Of one block."""
MOST_BLOCKS = 200_000
"""Half a minute each: ten weeks."""


class Header(NamedTuple):
    """What a header says of its block, and where that is."""

    first_ns: int
    last_ns: int
    moments: int
    of_weight: int
    """Moments in which something happened that one wants to be taken to."""
    offset: int
    """Where the packed bytes begin."""
    packed: int
    unpacked: int
    checksum: int


def packed_block(data: bytes, *, first_ns: int, last_ns: int, moments: int, of_weight: int) -> bytes:
    """Give a block as it is written.

    Args:
        data: its bytes, not compressed.
        first_ns: the place of its first moment.
        last_ns: the place of its last one.
        moments: how many there are.
        of_weight: in how many of them something happened.

    Raises:
        RecordingError: when it is more than a reader would take.
    """
    if len(data) > MOST_UNPACKED or moments > MOST_MOMENTS:
        raise RecordingError(
            f"too much for one block: {len(data)} bytes of {moments} steps",
            fix="record at a longer interval (-i)",
        )
    packed = zlib.compress(data)
    fields = (len(packed), len(data), moments, of_weight, first_ns, last_ns, zlib.crc32(packed), 0)
    bare = _HEADER.pack(*fields, 0)[:-4]
    return bare + zlib.crc32(bare).to_bytes(4, "little") + packed


def open_file(path: str, flags: int = os.O_RDONLY) -> BinaryIO:
    """Open a file that is a file: a pipe would be waited for, and a device has no end.

    Raises:
        RecordingError: it is none, is not there, or may not be opened.
    """
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "its name has a NUL in it"
        raise RecordingError(f"{path}: {why}", fix="name another file") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RecordingError(f"{path} is not a file", fix="name a file that dstop record has written")
    return os.fdopen(descriptor, "rb" if flags == os.O_RDONLY else "r+b", buffering=0)


def check_magic(file: BinaryIO, path: str) -> None:
    """Read the first line.

    Raises:
        RecordingError: it is of a newer version, or of something else.
    """
    line = file.read(_MOST_MAGIC).partition(b"\n")[0] + b"\n"
    if line == MAGIC:
        file.seek(len(MAGIC))
        return
    number = line.removeprefix(_WORDS).strip()
    if line.startswith(_WORDS) and number.isdigit() and int(number) > VERSION:
        raise RecordingError(
            f"{path} is a recording of version {int(number)}, this dstop reads version {VERSION}",
            fix="update dstop",
        )
    raise RecordingError(f"{path} is not a recording of dstop", fix="dstop record FILE makes one")


class Scanned(NamedTuple):
    """What a file holds."""

    headers: list[Header]
    end: int
    """Where the last whole block ends."""
    trouble: str | None
    """Why there is more in the file than blocks: it is cut off, or damaged."""


def scan(file: BinaryIO, path: str) -> Scanned:
    """Read the headers of all blocks, which is 44 bytes for each half minute.

    Raises:
        RecordingError: it is not a recording, or of a newer version.
    """
    check_magic(file, path)
    size = os.fstat(file.fileno()).st_size
    headers: list[Header] = []
    at, searches = len(MAGIC), MOST_SEARCHES
    trouble = None
    while at < size:
        if len(headers) == MOST_BLOCKS:
            trouble = trouble or f"it has more than {MOST_BLOCKS} blocks: the rest is left out"
            break
        before_ns = headers[-1].last_ns if headers else 0
        found = _header(os.pread(file.fileno(), HEADER_BYTES, at), at, size, before_ns)
        if isinstance(found, Header):
            headers.append(found)
            at = found.offset + found.packed
        elif found == CUT_OFF:
            trouble = trouble or CUT_OFF
            break
        else:
            next_at = _next(file, at + 1, size, before_ns) if searches else None
            searches -= 1
            rest = "what follows cannot be read" if next_at is None else "some of it is left out"
            trouble = trouble or f"{found}, and {rest}"
            if next_at is None:
                break
            at = next_at
    return Scanned(headers, at, trouble)


def _header(raw: bytes, at: int, size: int, before_ns: int) -> Header | str:
    """Read a header, or say what is wrong with it."""
    if len(raw) < HEADER_BYTES:
        return CUT_OFF
    packed, unpacked, moments, of_weight, first_ns, last_ns, checksum, _, own = _HEADER.unpack(raw)
    sane = 0 < moments <= MOST_MOMENTS and of_weight <= moments and 0 < unpacked <= MOST_UNPACKED
    if not sane or not before_ns <= first_ns <= last_ns or own != zlib.crc32(raw[:-4]):
        return f"it is damaged at byte {at}"
    if at + HEADER_BYTES + packed > size:
        return CUT_OFF
    return Header(first_ns, last_ns, moments, of_weight, at + HEADER_BYTES, packed, unpacked, checksum)


def _next(file: BinaryIO, at: int, size: int, before_ns: int) -> int | None:
    """Look for the next header behind a damaged one: by the four bytes of nought before its checksum."""
    data = os.pread(file.fileno(), SEARCHED_BYTES, at)
    place = data.find(_RESERVED, _RESERVED_AT)
    while place >= 0:
        start = place - _RESERVED_AT
        raw = data[start : start + HEADER_BYTES]
        if isinstance(_header(raw, at + start, size, before_ns), Header):
            return at + start
        place = data.find(_RESERVED, place + 1)
    return None


def read_block(file: BinaryIO, header: Header) -> bytes:
    """Give the bytes of a block.

    Raises:
        RecordingError: they are not what the header says.
    """
    packed = os.pread(file.fileno(), header.packed, header.offset) if header.packed <= MOST_UNPACKED else b""
    if len(packed) != header.packed or zlib.crc32(packed) != header.checksum:
        raise damaged("a block is not what was written")
    unpacking = zlib.decompressobj()
    try:
        data = unpacking.decompress(packed, header.unpacked + 1)
    except zlib.error:
        raise damaged("a block cannot be unpacked") from None
    if len(data) != header.unpacked or not unpacking.eof:
        raise damaged("a block is larger or smaller than it says")
    return data


def damaged(why: str) -> RecordingError:
    """Give the error for what no dstop has written."""
    return RecordingError(
        f"the recording is damaged here: {why}", fix="play another place of it (--at), or another recording"
    )

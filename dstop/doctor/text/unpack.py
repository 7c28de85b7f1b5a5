"""Packed logs, unpacked piece by piece; a bomb is stopped, and of a torn archive what is there is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dstop.errors import DstopError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

PIECE_BYTES = 1 << 20
MOST_BYTES = 8 << 30
"""Unpacked; what follows is not read."""
MOST_RATIO, RATIO_FROM_BYTES = 3000, 256 << 20
"""gzip cannot exceed 1032, and a log that xz shrinks more than this repeats one line."""
_XZ_MEMORY_BYTES = 96 << 20
_FEED_BYTES = 16 << 10
"""At once: what comes out of the piece that is damaged is lost."""


def unpacked(
    chunks: Iterable[bytes], packing: str, name: str, notes: list[str], most_bytes: int = MOST_BYTES
) -> Iterator[bytes]:
    """Unpack.

    Args:
        chunks: the packed bytes; archives may follow each other.
        packing: gzip, bzip2, xz or zstd.
        name: for errors.
        notes: takes why the end is missing.
        most_bytes: unpacked.

    Raises:
        DstopError: when this Python cannot unpack it, or nothing of it.
    """
    start, damaged = _decompressor(packing, name)
    taken = given = 0
    try:
        for size, piece in _pieces(chunks, start):
            taken = size
            given += len(piece)
            yield piece
            if given >= most_bytes or (given >= RATIO_FROM_BYTES and given > MOST_RATIO * taken):
                notes.append(f"It unpacks to more than {given >> 20:,} MiB; what follows was not read.")
                return
    except EOFError:
        notes.append(f"Its {packing} data ends too early; what is there was read.")
    except damaged as error:
        if not given:
            raise DstopError(
                f"{name} cannot be unpacked: {packing} says {error}", fix="check the file"
            ) from error
        notes.append(f"Its {packing} data is damaged ({error}); what comes before that was read.")


def _pieces(chunks: Iterable[bytes], start: Callable[[], Any]) -> Iterator[tuple[int, bytes]]:
    """Give how much was taken in, and what came out.

    Raises:
        EOFError: when the data ends within an archive.
    """
    machine = start()
    taken, fed = 0, False
    for chunk in _sliced(chunks):
        taken += len(chunk)
        data = chunk
        while data or not machine.needs_input:
            if machine.eof:
                data = data or machine.unused_data
                if not data.strip(b"\0"):
                    break
                machine = start()
            piece = machine.decompress(data, PIECE_BYTES)
            fed, data = True, b""
            if piece:
                yield taken, piece
            if machine.eof:
                data = machine.unused_data
                if not data:
                    break
    if fed and not machine.eof:
        raise EOFError


def _sliced(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for at in range(0, len(chunk), _FEED_BYTES):
            yield chunk[at : at + _FEED_BYTES]


class _Gzip:
    """zlib's decompressor with the manners of bz2's and lzma's."""

    def __init__(self) -> None:
        import zlib  # noqa: PLC0415 - for packed logs alone

        self._machine = zlib.decompressobj(wbits=31)

    def decompress(self, data: bytes, most: int) -> bytes:
        return self._machine.decompress(self._machine.unconsumed_tail + data, most)

    @property
    def needs_input(self) -> bool:
        return not self._machine.unconsumed_tail

    @property
    def eof(self) -> bool:
        return self._machine.eof

    @property
    def unused_data(self) -> bytes:
        return self._machine.unused_data


def _decompressor(packing: str, name: str) -> tuple[Callable[[], Any], tuple[type[Exception], ...]]:
    """Give what makes a decompressor, and the errors it raises."""
    try:
        if packing == "gzip":
            from zlib import error  # noqa: PLC0415 - for packed logs alone

            return _Gzip, (error,)
        if packing == "bzip2":
            from bz2 import BZ2Decompressor  # noqa: PLC0415 - as above

            return BZ2Decompressor, (OSError, ValueError)
        if packing == "xz":
            from lzma import LZMADecompressor, LZMAError  # noqa: PLC0415 - as above

            return lambda: LZMADecompressor(memlimit=_XZ_MEMORY_BYTES), (LZMAError,)
        from importlib import import_module  # noqa: PLC0415 - as above

        zstd = import_module("compression.zstd")  # Python 3.14
    except ImportError as missing:
        raise DstopError(
            f"{name} is {packing}-compressed, which this Python cannot unpack",
            fix=f"unpack it: {packing} -dc FILE | dstop doctor -",
        ) from missing
    return zstd.ZstdDecompressor, (zstd.ZstdError,)

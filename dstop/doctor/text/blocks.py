"""A file's bytes as blocks of one size, in UTF-8, once it is known to be text."""

from __future__ import annotations

import codecs
from itertools import chain
from typing import TYPE_CHECKING

from dstop.doctor.text.kind import SAMPLE_BYTES, packing_of, refuse_strangers, wide_encoding_of
from dstop.errors import DstopError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BLOCK_BYTES = 1 << 20
"""What a processor's second cache holds: every word is looked for in a block before the next is taken."""

_MARK = codecs.BOM_UTF8


def text_blocks(chunks: Iterable[bytes], name: str, notes: list[str]) -> Iterator[bytes]:
    """Unpack and decode; every block but the last has `BLOCK_BYTES`.

    Args:
        chunks: the file, in pieces of any size.
        name: for errors.
        notes: takes what is odd.

    Raises:
        DstopError: when it is no text.
    """
    head, chunks = _peek(chunks, SAMPLE_BYTES)
    packing = packing_of(head)
    if packing is not None:
        from dstop.doctor.text.unpack import unpacked  # noqa: PLC0415 - for packed logs alone

        head, chunks = _peek(unpacked(chunks, packing, name, notes), SAMPLE_BYTES)
    if head and not head.strip(b"\0"):
        head, chunks = _peek(_without_hole(chunks, name, notes), SAMPLE_BYTES)
    encoding = wide_encoding_of(head)
    if encoding is not None:
        head, chunks = _peek(_recoded(chunks, encoding), SAMPLE_BYTES)
    if head.startswith(_MARK):
        head, chunks = head[len(_MARK) :], _shortened(chunks, len(_MARK))
    refuse_strangers(head, name)
    return _reblocked(chunks)


def _peek(chunks: Iterable[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """Give the first bytes, and everything again."""
    rest = iter(chunks)
    taken: list[bytes] = []
    length = 0
    while length < size and (chunk := next(rest, None)) is not None:
        taken.append(chunk)
        length += len(chunk)
    head = b"".join(taken)
    return head[:size], chain((head,), rest) if head else rest


def _shortened(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Leave out the first bytes."""
    for chunk in chunks:
        yield chunk[size:]
        size = max(0, size - len(chunk))


def _without_hole(chunks: Iterable[bytes], name: str, notes: list[str]) -> Iterator[bytes]:
    """Leave out the NULs at the begin: a log that was cut while its writer held on to its place."""
    left_out, found = 0, False
    for chunk in chunks:
        if found:
            yield chunk
        elif chunk.count(0) == len(chunk):
            left_out += len(chunk)
        else:
            found = True
            size = (len(chunk) - len(chunk.lstrip(b"\0"))) & ~1  # by twos: half a letter of UTF-16 may be one
            left_out += size
            notes.append(f"It begins with {left_out:,} NUL bytes, which were left out.")
            yield chunk[size:]
    if not found:
        raise DstopError(
            f"{name} holds nothing but NUL bytes",
            fix="its text is lost: look for an older copy, or the log of the launcher",
        )


def _recoded(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for chunk in chunks:
        yield decoder.decode(chunk).encode(errors="replace")
    yield decoder.decode(b"", final=True).encode(errors="replace")


def _reblocked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    waiting = bytearray()
    for chunk in chunks:
        if not waiting and len(chunk) == BLOCK_BYTES:
            yield chunk
            continue
        waiting += chunk
        while len(waiting) >= BLOCK_BYTES:
            yield bytes(waiting[:BLOCK_BYTES])
            del waiting[:BLOCK_BYTES]
    if waiting:
        yield bytes(waiting)

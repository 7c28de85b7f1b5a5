"""Reading a log of any size: its lines, or of a large one those that may matter."""

from __future__ import annotations

import os
from itertools import chain, islice
from typing import TYPE_CHECKING

from dstop.doctor.text.blocks import text_blocks
from dstop.doctor.text.clean import Lines
from dstop.doctor.text.opening import CHUNK_BYTES, open_log, read_chunks
from dstop.doctor.text.values import LogText
from dstop.errors import DstopError
from dstop.units import MIB

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

SMALL_BLOCKS = 2
"""Of a log up to here (2 MiB) every line is kept."""
FIRST_PATIENCE_S, PATIENCE_S = 10.0, 30.0
"""With a named pipe: until its first byte, and between later ones."""


def read_log(
    path: Path, first_patience_s: float = FIRST_PATIENCE_S, patience_s: float = PATIENCE_S
) -> LogText:
    """Read a file, or a named pipe.

    Args:
        path: text in UTF-8, UTF-16 or nearly so; gzip, bzip2, xz, and zstd where Python knows it, are unpacked.
        first_patience_s: how long a pipe may take for its first byte.
        patience_s: how long it may be silent later.

    Raises:
        DstopError: when it cannot be read, or is no text.
    """
    descriptor = open_log(path)
    notes: list[str] = []
    try:
        chunks = read_chunks(descriptor, str(path), notes, first_patience_s, patience_s)
        return _log(chunks, str(path), notes)
    finally:
        os.close(descriptor)


def read_stream(stream: BinaryIO, name: str) -> LogText:
    """Read what cannot be sought in, to its end.

    Raises:
        DstopError: when it cannot be read, or is no text.
    """
    return _log(_stream_chunks(stream, name), name, [])


def log_of_text(text: str, name: str = "text") -> LogText:
    """Make a log of text that is at hand, however long."""
    data = text.encode(errors="replace")
    return _small_log(data, name, [])


def _stream_chunks(stream: BinaryIO, name: str) -> Iterator[bytes]:
    try:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk
    except (OSError, ValueError) as error:
        raise DstopError(f"cannot read {name}: {error}", fix="pipe the log in, or name a file") from error


def _log(chunks: Iterable[bytes], name: str, notes: list[str]) -> LogText:
    blocks = text_blocks(chunks, name, notes)
    first = list(islice(blocks, SMALL_BLOCKS + 1))
    if len(first) <= SMALL_BLOCKS:
        return _small_log(b"".join(first), name, notes)
    from dstop.doctor.text.digest import Digest  # noqa: PLC0415 - for large logs alone

    digest = Digest()
    digest.read(chain(_handed_over(first), blocks))
    lines = Lines()
    regions = digest.regions()
    for region in regions:
        lines.add(region.data, region.line)
    kept = sum(len(region.data) for region in regions)
    notes.append(
        f"It is large ({digest.total_lines:,} lines, {digest.total_bytes / MIB:,.0f} MiB): its begin, its end and "
        f"what lies around telling words, {kept / MIB:.1f} MiB in {len(regions):,} places, were read."
    )
    if passed := digest.passed():
        notes.append(f"Some words are in it too often to look at each; passed over were about {passed}.")
    return LogText(
        name=name,
        lines=tuple(lines.kept),
        total_bytes=digest.total_bytes,
        total_lines=digest.total_lines,
        notes=(*notes, *lines.notes()),
    )


def _small_log(data: bytes, name: str, notes: list[str]) -> LogText:
    lines = Lines()
    lines.add(data, 1)
    return LogText(
        name=name,
        lines=tuple(lines.kept),
        total_bytes=len(data),
        total_lines=data.count(b"\n") + (bool(data) and not data.endswith(b"\n")),
        notes=(*notes, *(() if data else ("It is empty.",)), *lines.notes()),
    )


def _handed_over(blocks: list[bytes]) -> Iterator[bytes]:
    """Give blocks, and hold on to none of them."""
    while blocks:
        yield blocks.pop(0)

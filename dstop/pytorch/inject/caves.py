"""Rule 4: the padding of mapped libraries that nobody uses, where the routine and the mailbox find room.

The routine lies in the zeros behind a library's text, the mailbox in those behind its data. Never the loader's, whose
allocator uses that tail, and never the executable's, where the heap begins.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from dstop.errors import AttachError
from dstop.pytorch.elf import EXECUTABLE, WRITABLE, Image
from dstop.pytorch.inject import mailbox, routine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.pytorch.maps import Mapping
    from dstop.pytorch.memory import Readable

_PAGE = 4096
_LIBRARY = re.compile(r"\.so[.\d]*$")
_LOADER = re.compile(r"ld[-.]")
_PREFERRED = re.compile(r"lib(python|c|m|pthread)[\d.]*[-.]")


class Cave(NamedTuple):
    """The rest of the last page of a segment."""

    address: int
    size: int
    writable: bool


class CodeCave(NamedTuple):
    """Where the routine goes, and whether it is there already."""

    address: int
    written: bool


def caves_of(memory: Readable, images: dict[str, int], mapped: tuple[Mapping, ...]) -> tuple[Cave, ...]:
    """List the caves of all libraries, those of Python and libc first, so that every attach finds the same ones."""
    found: list[Cave] = []
    for path in _libraries(images):
        try:
            image = Image(memory, images[path], path)
        except AttachError:
            continue
        found += _rests(image, mapped)
    return tuple(found)


def mailbox_cave(memory: Readable, caves: tuple[Cave, ...]) -> int:
    """Give the mailbox of an earlier attach, or else the first unused room for one."""
    contents = [(cave, _content(memory, cave)) for cave in caves if cave.writable]
    for cave, content in contents:
        if mailbox.parse_mailbox(content[: mailbox.MAILBOX_BYTES].ljust(mailbox.MAILBOX_BYTES, b"\0")):
            return cave.address
    for cave, content in contents:
        if len(content) >= mailbox.MAILBOX_BYTES and not any(content):
            return cave.address
    raise _no_room()


def code_cave(memory: Readable, caves: tuple[Cave, ...], text: bytes) -> CodeCave:
    """Give the place of the routine: where exactly it is already, or else the first unused room.

    Other text of ours, of an older dstop or half written, is left as it is: a thread may still be inside.
    """
    free: int | None = None
    for cave in caves:
        if cave.writable or cave.size < routine.MOST_ROUTINE_BYTES:
            continue
        content = _content(memory, cave)
        if content.startswith(text):
            return CodeCave(cave.address, written=True)
        if free is None and content and not any(content):
            free = cave.address
    if free is None:
        raise _no_room()
    return CodeCave(free, written=False)


def _libraries(images: dict[str, int]) -> list[str]:
    def is_library(path: str) -> bool:
        name = os.path.basename(path)  # noqa: PTH119 - no pathlib here
        return bool(_LIBRARY.search(name)) and not _LOADER.match(name)

    return sorted(
        filter(is_library, images),
        key=lambda path: not _PREFERRED.match(os.path.basename(path)),  # noqa: PTH119 - no pathlib here
    )


def _rests(image: Image, mapped: tuple[Mapping, ...]) -> Iterator[Cave]:
    for segment in image.segments:
        start = segment.end + 15 & -16
        size = -start % _PAGE
        permissions = _permissions(mapped, start, size)
        if segment.flags & EXECUTABLE and permissions.startswith("r-x"):
            yield Cave(start, size, writable=False)
        elif segment.flags & WRITABLE and permissions.startswith("rw"):
            yield Cave(start, size, writable=True)


def _permissions(mapped: tuple[Mapping, ...], start: int, size: int) -> str:
    index = bisect_right(mapped, start, key=lambda mapping: mapping.start) - 1
    if index < 0 or start + size > mapped[index].end or size == 0:
        return ""
    # A shared mapping is a file's own page: writing there would reach other processes.
    permissions = mapped[index].permissions
    return permissions if permissions.endswith("p") else ""


def _content(memory: Readable, cave: Cave) -> bytes:
    try:
        return memory.read(cave.address, cave.size)
    except AttachError:
        return b""


def _no_room() -> AttachError:
    return AttachError(
        "the process maps no library with room for the routine", fix="start it with `dstop run` next time"
    )

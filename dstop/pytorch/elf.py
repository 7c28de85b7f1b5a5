"""Symbols of a mapped ELF image, read out of the target's memory and out of no file.

So deleted, replaced and containerised binaries are all alike. Everything read is hostile: sizes and chains are bounded,
addresses are checked where memory is read, and what is not an image raises AttachError.

The layout is the System V ABI's (generic part, chapters 4 and 5) and, for the hash table, the one that binutils and
glibc share (https://flapenguin.me/elf-dt-gnu-hash).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from dstop.errors import AttachError
from dstop.pytorch.maps import images_of, mappings

if TYPE_CHECKING:
    from dstop.pytorch.memory import Readable

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_DYNAMIC_ENTRY = struct.Struct("<QQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_HASH_HEADER = struct.Struct("<IIII")

_ELF_64_LITTLE_ENDIAN = b"\x7fELF\x02\x01"
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_STRTAB, _DT_SYMTAB, _DT_GNU_HASH = 5, 6, 0x6FFFFEF5
EXECUTABLE, WRITABLE = 1, 2
"""PF_X and PF_W, the flags of a segment."""

X86_64 = 62

MOST_PROGRAM_HEADERS = 128
MOST_DYNAMIC_BYTES = 1 << 16
MOST_CHAIN = 4096
"""Bounds on what an image says about itself; real ones stay under a tenth of each."""

_PAGE = 4096
_ADDRESSES = 1 << 64


class Symbol(NamedTuple):
    """Where a function or an object lies in the target."""

    address: int
    size: int


class Segment(NamedTuple):
    """One loaded part of an image, as addresses of the target."""

    flags: int
    start: int
    end: int


class _Tables(NamedTuple):
    strings: int
    symbols: int
    first_hashed: int
    bloom: int
    bloom_words: int
    bloom_shift: int
    buckets: int
    bucket_count: int
    chains: int


class Image:
    """One ELF image in a target's memory."""

    def __init__(self, memory: Readable, base: int, path: str) -> None:
        self.base = base
        self.path = path
        self._memory = memory
        header = _HEADER.unpack(self._read(base, _HEADER.size))
        if not header[0].startswith(_ELF_64_LITTLE_ENDIAN):
            raise self._damaged("it is not a 64-bit little-endian ELF image")
        self.machine: int = header[2]
        program_headers = self._program_headers(header[5], header[9], header[10])
        loads = [entry for entry in program_headers if entry[0] == _PT_LOAD]
        if not loads:
            raise self._damaged("it has no loaded segment")
        self.bias: int = base - (min(entry[3] for entry in loads) & -_PAGE)
        """What is added to an address of the file to have one of the target."""
        self.segments = tuple(
            Segment(entry[1], entry[3] + self.bias, entry[3] + entry[6] + self.bias) for entry in loads
        )
        self.text = tuple((part.start, part.end) for part in self.segments if part.flags & EXECUTABLE)
        self._dynamic = next(
            ((entry[3], entry[6]) for entry in program_headers if entry[0] == _PT_DYNAMIC), None
        )
        self._tables: _Tables | None = None

    def symbol(self, name: str) -> Symbol | None:
        """Find a dynamic symbol that is defined here, by the GNU hash table; None where there is none."""
        if self._tables is None:
            self._tables = self._find_tables()
        tables = self._tables
        wanted = name.encode()
        hashed = gnu_hash(wanted)
        word = self._number(tables.bloom + 8 * ((hashed >> 6) % tables.bloom_words), 8)
        if not (word >> (hashed & 63)) & (word >> ((hashed >> tables.bloom_shift) & 63)) & 1:
            return None
        index = self._number(tables.buckets + 4 * (hashed % tables.bucket_count), 4)
        if index < max(tables.first_hashed, 1):
            return None
        for _ in range(MOST_CHAIN):
            link = self._number(tables.chains + 4 * (index - tables.first_hashed), 4)
            if link | 1 == hashed | 1 and (found := self._entry(tables, index, wanted)):
                return found
            if link & 1:
                return None
            index += 1
        raise self._damaged("a chain of its hash table does not end")

    def _entry(self, tables: _Tables, index: int, wanted: bytes) -> Symbol | None:
        raw = self._read(tables.symbols + _SYMBOL.size * index, _SYMBOL.size)
        name, _, _, section, value, size = _SYMBOL.unpack(raw)
        if not section or self._read(tables.strings + name, len(wanted) + 1) != wanted + b"\0":
            return None
        return Symbol((value + self.bias) % _ADDRESSES, size)

    def _program_headers(self, offset: int, size: int, count: int) -> list[tuple[int, ...]]:
        if size != _PROGRAM_HEADER.size or not 0 < count <= MOST_PROGRAM_HEADERS:
            raise self._damaged(f"it says it has {count} program headers of {size} bytes")
        raw = self._read(self.base + offset, size * count)
        return list(_PROGRAM_HEADER.iter_unpack(raw))

    def _find_tables(self) -> _Tables:
        if self._dynamic is None:
            raise NoSymbolsError(f"{self.path} has no dynamic symbols", fix="it was linked statically")
        address, size = self._dynamic
        if size > MOST_DYNAMIC_BYTES:
            raise self._damaged(f"its dynamic section has {size} bytes")
        tags: dict[int, int] = {}
        raw = self._read(address + self.bias, size - size % _DYNAMIC_ENTRY.size)
        for tag, value in _DYNAMIC_ENTRY.iter_unpack(raw):
            if tag == 0:
                break
            # glibc's loader writes addresses over offsets, musl's leaves them.
            tags.setdefault(tag, value if value >= self.bias else value + self.bias)
        try:
            strings, symbols, table = tags[_DT_STRTAB], tags[_DT_SYMTAB], tags[_DT_GNU_HASH]
        except KeyError:
            raise NoSymbolsError(
                f"{self.path} has no GNU hash table of its symbols", fix="it was linked by an unusual linker"
            ) from None
        buckets, first, words, shift = _HASH_HEADER.unpack(self._read(table, _HASH_HEADER.size))
        if not buckets or not words or shift >= 64:  # noqa: PLR2004 - bits of a bloom word
            raise self._damaged("its hash table is empty")
        bloom = table + _HASH_HEADER.size
        after_bloom = bloom + 8 * words
        return _Tables(
            strings, symbols, first, bloom, words, shift, after_bloom, buckets, after_bloom + 4 * buckets
        )

    def _number(self, address: int, size: int) -> int:
        return int.from_bytes(self._read(address, size), "little")

    def _read(self, address: int, size: int) -> bytes:
        data = self._memory.read(address % _ADDRESSES, size)
        if len(data) != size:
            raise self._damaged("it ends too early")
        return data

    def _damaged(self, why: str) -> AttachError:
        return AttachError(f"the image {self.path} cannot be read: {why}", fix="it cannot be attached to")


class NoSymbolsError(AttachError):
    """The image is sound, but tells no names of functions."""


def gnu_hash(name: bytes) -> int:
    """Hash a symbol's name as DT_GNU_HASH does: Bernstein's, with 5381 and 33."""
    hashed = 5381
    for byte in name:
        hashed = (hashed * 33 + byte) & 0xFFFFFFFF
    return hashed


def mapped_images(pid: int) -> dict[str, int]:
    """Give the base address of every file that `pid` maps from its first byte: path -> base."""
    return images_of(mappings(pid))

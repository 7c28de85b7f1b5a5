"""Symbols out of a live process' memory, and images that lie."""

from __future__ import annotations

import ctypes
import os
import re
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.errors import AttachError
from dstop.pytorch.elf import X86_64, Image, NoSymbolsError, gnu_hash, mapped_images
from dstop.pytorch.maps import Mapping, images_of, mappings, parse_maps
from dstop.pytorch.memory import MOST_BYTES, TargetMemory

MAPS = (
    "55d0c0a00000-55d0c0a01000 r--p 00000000 fe:01 12   /usr/bin/a name (deleted)\n"
    "55d0c0a01000-55d0c0a02000 r-xp 00001000 fe:01 12   /usr/bin/a name (deleted)\n"
    "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \n"
    "not a line\n"
    "7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0    [stack]\n"
)
LIBC = re.compile(r"/libc(-2\.\d+)?\.so")


class Spoiled:
    """The memory of an image, with some of its bytes changed; counts what is read."""

    def __init__(self, base: int, data: bytes) -> None:
        """Take what lies at `base`."""
        self.base = base
        self.data = data
        self.reads = 0

    def read(self, address: int, size: int) -> bytes:
        """Give what is there, or refuse as a process would."""
        self.reads += 1
        at = address - self.base
        if not (0 <= at <= len(self.data) - size and 0 <= size <= MOST_BYTES):
            raise AttachError("not mapped", fix="none")
        return self.data[at : at + size]


@pytest.fixture(scope="module")
def libc() -> Spoiled:
    """Give a copy of this process' libc, up to its first hole."""
    path, base = next((path, base) for path, base in mapped_images(os.getpid()).items() if LIBC.search(path))
    end = base
    for mapping in mappings(os.getpid()):
        if mapping.path == path and mapping.start == end and "r" in mapping.permissions:
            end = mapping.end
    with TargetMemory.open(os.getpid()) as memory:
        return Spoiled(base, memory.read(base, end - base))


def _address(name: str) -> int | None:
    return ctypes.cast(getattr(ctypes.CDLL(None), name), ctypes.c_void_p).value


@pytest.mark.parametrize("name", ["pthread_create", "mmap", "usleep", "munmap"])
def test_a_symbol_is_where_the_loader_says(libc: Spoiled, name: str) -> None:
    """What is read out of memory is what dlsym gives."""
    image = Image(libc, libc.base, "libc")
    symbol = image.symbol(name)
    assert symbol is not None
    assert symbol.address == _address(name)
    assert image.machine == X86_64
    assert any(start <= symbol.address < end for start, end in image.text)


def test_a_symbol_that_is_not_there_is_none(libc: Spoiled) -> None:
    """Nor is one that is only used here and defined elsewhere."""
    image = Image(libc, libc.base, "libc")
    assert image.symbol("no_such_function") is None
    assert image.symbol("PyGILState_Ensure") is None


def test_the_hash_is_the_linkers() -> None:
    """Known answers of the GNU hash function."""
    assert gnu_hash(b"") == 0x1505
    assert gnu_hash(b"printf") == 0x156B2BB8
    assert gnu_hash(b"exit") == 0x7C967E3F


@settings(max_examples=300, deadline=None)
@given(
    spoils=st.lists(st.tuples(st.integers(0, 0x400), st.integers(0, 255)), min_size=1, max_size=12),
    name=st.sampled_from(["pthread_create", "nothing"]),
)
def test_a_spoiled_header_is_an_error_or_an_answer(
    libc: Spoiled, spoils: list[tuple[int, int]], name: str
) -> None:
    """Whatever the headers say, reading ends soon and raises nothing but AttachError."""
    data = bytearray(libc.data)
    for at, value in spoils:
        data[at] = value
    _read(Spoiled(libc.base, bytes(data)), libc.base, name)


@settings(max_examples=200, deadline=None)
@given(
    noise=st.binary(min_size=64, max_size=4096),
    words=st.lists(st.integers(0, 2**64 - 1), min_size=4, max_size=30),
)
def test_garbage_behind_a_true_header_is_an_error_or_an_answer(noise: bytes, words: list[int]) -> None:
    """Program headers, dynamic section and tables of anything."""
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 0, 4096, 0)
    dynamic = struct.pack("<IIQQQQQQ", 2, 6, 0, 256, 0, 0, 1024, 0)
    tags = struct.pack("<QQQQQQ", 5, words[0] % 4096, 6, words[1] % 4096, 0x6FFFFEF5, words[2] % 4096)
    data = (
        (header + load + dynamic).ljust(256, b"\0")
        + tags
        + struct.pack(f"<{len(words)}Q", *words)
        + noise * 8
    )
    _read(Spoiled(0x10000, data), 0x10000, "anything")


def _read(memory: Spoiled, base: int, name: str) -> None:
    try:
        symbol = Image(memory, base, "spoiled").symbol(name)
    except AttachError as error:
        assert error.fix  # noqa: PT017 - either outcome is right
    else:
        assert symbol is None or 0 <= symbol.address < 1 << 64
    assert memory.reads < 10_000


def test_a_chain_that_never_ends_is_cut() -> None:
    """A hash table whose chains point on and on is damage, not work."""
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 0, 4096, 0)
    dynamic = struct.pack("<IIQQQQQQ", 2, 6, 0, 256, 0, 0, 64, 0)
    tags = struct.pack("<QQQQQQQQ", 5, 0x800, 6, 0x800, 0x6FFFFEF5, 0x400, 0, 0)
    # One bucket of one bloom word with every bit set; then chain words that never have their last bit.
    table = struct.pack("<IIIIQI", 1, 1, 1, 6, (1 << 64) - 1, 1)
    data = ((header + load + dynamic).ljust(256, b"\0") + tags).ljust(0x400, b"\0") + table + bytes(1 << 16)
    with pytest.raises(AttachError, match="does not end"):
        Image(Spoiled(0x10000, data), 0x10000, "endless").symbol("anything")


def test_an_image_without_a_dynamic_section_has_no_symbols() -> None:
    """It was linked statically: that is told apart from damage."""
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01", 3, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 0, 4096, 0)
    with pytest.raises(NoSymbolsError, match="no dynamic symbols"):
        Image(Spoiled(0x10000, header + load), 0x10000, "static").symbol("anything")


def test_what_is_not_an_image_is_refused() -> None:
    """A script, a font, a 32-bit program."""
    for start in (b"#!/bin/sh\n", b"\x7fELF\x01\x01"):
        with pytest.raises(AttachError, match="not a 64-bit"):
            Image(Spoiled(0x10000, start.ljust(4096, b"\0")), 0x10000, "other")


def test_the_lines_of_maps_are_parsed() -> None:
    """Paths hold spaces; a replaced file is said to be deleted; what is no line is left out."""
    mapped = parse_maps(MAPS)
    assert len(mapped) == 4
    assert mapped[0] == Mapping(0x55D0C0A00000, 0x55D0C0A01000, "r--p", 0, "/usr/bin/a name")
    assert mapped[2].path == ""
    assert mapped[3].path == "[stack]"
    assert images_of(mapped) == {"/usr/bin/a name": 0x55D0C0A00000}


@given(st.text(max_size=200))
def test_maps_of_anything_are_no_error(text: str) -> None:
    """The kernel's text is trusted as little as any other."""
    assert all(isinstance(mapping, Mapping) for mapping in parse_maps(text))


def test_maps_of_a_process_that_is_not_there() -> None:
    """Said in the user's words."""
    with pytest.raises(AttachError, match="no such process"):
        mappings(1 << 22)
